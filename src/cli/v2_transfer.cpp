#include "cli/v2_transfer.hpp"

#include <fmt/core.h>

#include "port/crypto/sha256.hpp"

namespace mqboard::cli {

using command::Field;
using command::Fields;
using command::RecordKind;

namespace {

// Up to this the content follows its request at once; a larger one asks first what is there.
constexpr std::size_t kOneFlight = 12'000;

// Once a transfer has begun, a board that goes offline is waited for.
class PatienceWithBoard {
 public:
  explicit PatienceWithBoard(Session& session) : session_(session) { session_.allow_offline(); }
  ~PatienceWithBoard() { session_.allow_offline(false); }
  PatienceWithBoard(const PatienceWithBoard&) = delete;
  PatienceWithBoard& operator=(const PatienceWithBoard&) = delete;

 private:
  Session& session_;
};

bool board_restarted(const Operation& operation) {
  return operation.closed() && operation.status().code == command::StatusCode::lost;
}

// ---- get

class GetAnswer {
 public:
  GetAnswer(ContentSink& into, Mover& moved, std::string_view path)
      : into_(into), moved_(moved), path_(path) {}

  Result<> take(const Operation::Piece& piece) {
    if (piece.kind == RecordKind::head) return begin(Fields(piece.payload));
    if (piece.kind != RecordKind::body) return {};
    if (auto ok = into_.write(piece.payload); !ok) return ok;
    moved_(into_.size(), size_);
    return {};
  }

  [[nodiscard]] Result<> verify() const {
    if (into_.size() != size_ || !expected_ || into_.hash() != *expected_) {
      return fail(ExitStatus::integrity, fmt::format("{}: what arrived is not what the board has", path_));
    }
    return {};
  }

 private:
  Result<> begin(const Fields& fields) {
    size_ = fields.number(Field::size).value_or(0);
    expected_ = command::hash_field(fields);
    const std::uint64_t offset = fields.number(Field::offset).value_or(0);
    if (offset == into_.size()) return {};
    if (offset == 0) return into_.restart();
    return fail(ExitStatus::integrity, fmt::format("{}: the board continues elsewhere than asked", path_));
  }

  ContentSink& into_;
  Mover& moved_;
  std::string path_;
  std::uint64_t size_ = 0;
  std::optional<Sha256> expected_;
};

// ---- put and ota_install

// What the board answered to a request with `resume`.
struct Resumption {
  bool answered = false;
  bool identical = false;
  std::uint64_t offset = 0;
  std::optional<Sha256> hash;

  Result<> take(const Operation::Piece& piece) {
    if (piece.kind != RecordKind::head) return {};
    const Fields fields(piece.payload);
    answered = true;
    identical = fields.flag(Field::identical);
    offset = fields.number(Field::offset).value_or(0);
    hash = command::hash_field(fields);
    return {};
  }

  // Where to go on: what the board has must be the beginning of what it is to get.
  [[nodiscard]] std::uint64_t agreed_offset(Bytes content) const {
    if (offset == 0 || offset > content.size() || !hash) return 0;
    return port::sha256(content.first(static_cast<std::size_t>(offset))) == *hash ? offset : 0;
  }
};

asio::awaitable<Result<>> watch(Session& session, const Operation& operation, std::uint64_t start,
                                std::uint64_t total, const Mover& moved) {
  while (!operation.closed()) {
    const std::uint64_t before = operation.acknowledged_body();
    moved(start + before, total);
    const auto ok = co_await session.until(
        [&operation, before] { return operation.closed() || operation.acknowledged_body() != before; });
    if (!ok) co_return ok;
  }
  co_return Result<>{};
}

asio::awaitable<Result<>> resume(Session& session, Operation& operation, const Resumption& answer,
                                 Bytes content, const Mover& moved) {
  const auto asked =
      co_await session.until([&operation, &answer] { return operation.closed() || answer.answered; });
  if (!asked || operation.closed()) co_return asked;
  if (answer.identical) {
    operation.end();
    co_return Result<>{};
  }
  const std::uint64_t offset = answer.agreed_offset(content);
  Head head;
  head.number(Field::offset, offset);
  operation.send(head);
  operation.send_body(content, offset);
  co_return co_await watch(session, operation, offset, content.size(), moved);
}

}  // namespace

asio::awaitable<Result<>> v2_get(ChannelLink& link, std::string path, ContentSink& into, Mover moved) {
  const PatienceWithBoard patience(link.session());
  while (true) {
    GetAnswer answer(into, moved, path);
    Head head(command::Operation::get);
    head.text(Field::path, path);
    if (into.size() != 0) head.number(Field::offset, into.size()).hash(Field::sha256, into.hash());
    Operation operation(link, head, [&answer](const Operation::Piece& piece) { return answer.take(piece); });
    operation.end();
    const auto done = co_await operation.finished(path);
    if (done) co_return answer.verify();
    if (!board_restarted(operation)) co_return done;
    link.session().console().detail(
        fmt::format("{}: the board restarted; going on at {} bytes", path, into.size()));
  }
}

asio::awaitable<Result<>> v2_send(ChannelLink& link, std::function<Head()> make_head, std::string thing,
                                  Bytes content, Mover moved) {
  const PatienceWithBoard patience(link.session());
  const Sha256 hash = port::sha256(content);
  const bool ask_first = content.size() > kOneFlight;
  while (true) {
    Resumption answer;
    Head head = make_head();
    head.number(Field::size, content.size()).hash(Field::sha256, hash).flag(Field::resume, ask_first);
    Operation operation(link, head, [&answer](const Operation::Piece& piece) { return answer.take(piece); });
    if (ask_first) {
      if (auto ok = co_await resume(link.session(), operation, answer, content, moved); !ok) co_return ok;
    } else {
      operation.send_body(content, 0);
    }
    auto done = co_await operation.finished(thing);
    if (done || !board_restarted(operation)) co_return done;
    link.session().console().detail(fmt::format("{}: the board restarted; going on", thing));
  }
}

}  // namespace mqboard::cli
