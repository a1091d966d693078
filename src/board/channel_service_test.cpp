#include "board/channel_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "board/log_service.hpp"
#include "board/testing.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/flash.hpp"

namespace mqboard::board {
namespace {

using command::Field;
using command::FieldWriter;
using command::RecordKind;
using command::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Runs each source the moment it is posted: prints it, and answers it as the value.
class EchoInterpreter final : public Interpreter {
 public:
  python::JobId eval(std::string source, std::shared_ptr<python::JobSink> sink) override {
    if (source == "hang") return hanging = std::move(sink), python::JobId{7};
    sink->output(as_bytes(source));
    python::Outcome outcome;
    outcome.text = "value";
    outcome.expression = true;
    if (source == "raise")
      outcome.status = python::Outcome::Status::error, outcome.text = "Traceback\nValueError: x\n";
    sink->done(std::move(outcome));
    return python::JobId{1};
  }
  python::JobId exec(std::string source, std::string, std::shared_ptr<python::JobSink> sink) override {
    executed.push_back(std::move(source));
    if (sink) sink->done({});
    return python::JobId{2};
  }
  python::JobId complete(std::string, std::shared_ptr<python::JobSink>) override { return python::JobId{3}; }
  void interrupt() override { ++interrupts; }
  bool interrupt(python::JobId job) override {
    interrupted.push_back(static_cast<std::uint64_t>(job));
    python::Outcome outcome;
    outcome.status = python::Outcome::Status::interrupted;
    outcome.text = "KeyboardInterrupt\n";
    if (hanging) std::exchange(hanging, nullptr)->done(std::move(outcome));
    return true;
  }

  std::shared_ptr<python::JobSink> hanging;
  std::vector<std::string> executed;
  std::vector<std::uint64_t> interrupted;
  int interrupts = 0;
};

// What the opener sends, in memory.
class Text final : public command::ByteSource {
 public:
  bool read(std::uint64_t offset, MutableBytes into) override {
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return true;
  }
  std::string content;
};

class Channels : public ::testing::Test {
 protected:
  Channels() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mqb-ch-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    files_ = std::move(*port::LinuxFlash::open_root(directory_));
    services_.emplace(Services{.files = *files_,
                               .hasher = hasher_,
                               .interpreter = python_,
                               .log = log_,
                               .report = [](int, std::string_view) {},
                               .info_json = [] { return std::string("{}"); },
                               .end = [this](const Ending& ending) { ending_ = ending; },
                               .level_changed = [](std::string_view, int) {},
                               .after = [](std::chrono::milliseconds, std::function<void()> f) { f(); }});
    service_.emplace(ChannelService::Environment{
        .prefix = "p",
        .outbox = outbox_,
        .services = *services_,
        .epoch = 77,
        .now = [this] { return now_; },
        .post = [this](std::function<void()> f) { posted_.push_back(std::move(f)); },
        .wake_at = [](TimePoint) {}});
  }
  ~Channels() override {
    service_.reset();
    std::filesystem::remove_all(directory_);
  }

  struct Answer {
    StatusCode status = StatusCode::internal;
    std::string text;
    std::string output, error, result, body, log;
    std::vector<std::string> names;      // of entries
    std::vector<std::uint64_t> numbers;  // Field::size of heads
  };

  std::string request(command::Operation operation, const std::function<void(FieldWriter&)>& write = {}) {
    std::array<std::uint8_t, 1024> fields, record;
    FieldWriter head(fields);
    head.number(Field::operation, static_cast<std::uint64_t>(operation));
    if (write) write(head);
    command::RecordWriter writer(record);
    writer.record(RecordKind::head, head.written());
    return std::string(as_text(writer.written()));
  }
  static std::string body(std::string_view content) {
    std::array<std::uint8_t, 4> header;
    command::RecordWriter writer(header);
    writer.body();
    return std::string(as_text(writer.written())) + std::string(content);
  }

  // The whole conversation of one channel; `cancel`: as soon as the board has nothing more to say.
  Answer run(std::string stream, bool cancel = false) {
    Text source;
    source.content = std::move(stream);
    command::Channel opener({.number = ++number_, .local_epoch = 5}, ChannelService::config(), source, now_);
    opener.supply(source.content.size());
    opener.end();
    Answer answer;
    std::array<std::uint8_t, 4096> scratch;
    command::RecordReader reader(scratch);
    std::vector<std::uint8_t> frame(40'000);
    for (int turns = 0; !opener.closed() && turns < 10'000; ++turns) {
      bool quiet = true;
      while (const std::size_t bytes = opener.poll(frame, now_)) {
        quiet = false;
        EXPECT_TRUE(service_->handle("p/mqb/cmd/ch/abc", Bytes(frame).first(bytes), false));
      }
      for (auto& function : std::exchange(posted_, {})) quiet = false, function();
      for (const auto& sent : outbox_.take()) {
        quiet = false;
        if (sent.topic != "p/mqb/reply/ch/abc") continue;  // another opener's
        const auto decoded = command::decode_frame(as_bytes(sent.payload));
        if (!decoded) continue;
        auto received = opener.receive(*decoded, now_);
        const std::size_t count = received.data.size();
        while (const auto piece = reader.next(received.data)) collect(answer, *piece);
        opener.consume(count);
      }
      if (quiet && cancel) opener.cancel(), cancel = false;
      now_ += Millis{50};
      outbox_.ready(*service_);
    }
    while (const std::size_t bytes = opener.poll(frame, now_)) {  // that it has the status
      service_->handle("p/mqb/cmd/ch/abc", Bytes(frame).first(bytes), false);
    }
    answer.status = opener.status().code;
    answer.text = opener.status().text.view();
    return answer;
  }

  static void collect(Answer& answer, const command::RecordReader::Piece& piece) {
    const std::string_view text = as_text(piece.payload);
    switch (piece.kind) {
      case RecordKind::output:
        answer.output += text;
        break;
      case RecordKind::error:
        answer.error += text;
        break;
      case RecordKind::result:
        answer.result += text;
        break;
      case RecordKind::body:
        answer.body += text;
        break;
      case RecordKind::log:
        (answer.log += text) += '\n';
        break;
      case RecordKind::head:
        answer.numbers.push_back(command::Fields(piece.payload).number(Field::size).value_or(0));
        break;
      case RecordKind::entry:
        answer.names.emplace_back(command::Fields(piece.payload).text(Field::name).value_or("?"));
        break;
      default:
        break;
    }
  }

  Answer on_path(command::Operation operation, std::string_view path, Field flag = Field::operation) {
    return run(request(operation, [&](FieldWriter& head) {
      head.text(Field::path, path);
      if (flag != Field::operation) head.flag(flag);
    }));
  }
  Answer put(std::string_view path, std::string_view content, std::string_view announced) {
    return run(request(command::Operation::put,
                       [&](FieldWriter& head) {
                         head.text(Field::path, path)
                             .number(Field::size, announced.size())
                             .bytes(Field::sha256, port::sha256(as_bytes(announced)));
                       }) +
               body(content));
  }
  std::string file(const std::string& name) {
    std::ifstream in(std::filesystem::path(directory_) / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string directory_;
  std::unique_ptr<port::LinuxFlash> files_;
  port::Sha256Hasher hasher_;
  EchoInterpreter python_;
  std::vector<std::uint8_t> log_memory_ = std::vector<std::uint8_t>(LogService::memory_bytes({}));
  LogService log_{{.topic = "",
                   .since_boot = [] { return Millis{1}; },
                   .wall_clock = [] { return std::optional<log::WallClock>{}; },
                   .wake = [] {},
                   .echo = {}},
                  {},
                  {},
                  log_memory_};
  testing::FakeOutbox outbox_;
  std::vector<std::function<void()>> posted_;
  std::optional<Ending> ending_;
  TimePoint now_{Millis{1000}};
  std::uint32_t number_ = 0;
  std::optional<Services> services_;
  std::optional<ChannelService> service_;
};

TEST_F(Channels, PutThenGet_BringsTheContentBack) {
  const std::string content(300'000, 'x');
  EXPECT_EQ(put("/f", content, content).status, StatusCode::ok);
  EXPECT_EQ(file("f"), content);
  const Answer got = on_path(command::Operation::get, "/f");
  EXPECT_EQ(got.status, StatusCode::ok);
  EXPECT_EQ(got.body, content);
  EXPECT_THAT(got.numbers, ElementsAre(300'000u));
}

TEST_F(Channels, PutOfOtherContentThanAnnounced_LeavesTheOldFile) {
  EXPECT_EQ(put("/f", "old", "old").status, StatusCode::ok);
  EXPECT_EQ(put("/f", "new", "neW").status, StatusCode::integrity);
  EXPECT_EQ(put("/f", "longer than said", "short").status, StatusCode::malformed);
  EXPECT_EQ(put("/f", "short", "longer than sent").status, StatusCode::malformed);
  EXPECT_EQ(file("f"), "old");
}

TEST_F(Channels, APutOfTheSameContentGoesOnWithWhatAnOlderOneLeftOpenHas) {
  const std::string content(40'000, 'x');
  const std::string head = request(command::Operation::put, [&](FieldWriter& fields) {
    fields.text(Field::path, "/f")
        .number(Field::size, content.size())
        .bytes(Field::sha256, port::sha256(as_bytes(content)))
        .flag(Field::resume);
  });
  // An opener that sends a part and is heard of no more.
  Text source;
  source.content = head + body(std::string_view(content).substr(0, 10'000));
  command::Channel killed({.number = 99, .local_epoch = 6}, ChannelService::config(), source, now_);
  killed.supply(source.content.size());
  std::vector<std::uint8_t> frame(40'000);
  while (const std::size_t bytes = killed.poll(frame, now_)) {
    service_->handle("p/mqb/cmd/ch/old", Bytes(frame).first(bytes), false);
  }
  outbox_.take();

  std::array<std::uint8_t, 64> fields, record;
  FieldWriter from(fields);
  from.number(Field::offset, 10'000);
  command::RecordWriter second(record);
  second.record(RecordKind::head, from.written());
  const std::string rest =
      std::string(as_text(second.written())) + body(std::string_view(content).substr(10'000));
  EXPECT_EQ(run(head + rest).status, StatusCode::ok);
  EXPECT_EQ(file("f"), content);
}

TEST_F(Channels, FileErrorsNameThePath) {
  const Answer missing = on_path(command::Operation::get, "/no/such");
  EXPECT_EQ(missing.status, StatusCode::not_found);
  EXPECT_THAT(missing.text, HasSubstr("/no/such"));
  EXPECT_EQ(on_path(command::Operation::get, "/../x").status, StatusCode::escapes);
  EXPECT_EQ(on_path(command::Operation::get, "/").status, StatusCode::is_a_directory);
  EXPECT_EQ(on_path(command::Operation::remove, "/", Field::recursive).status, StatusCode::invalid);
  EXPECT_EQ(on_path(command::Operation::make_dir, "/dir").status, StatusCode::ok);
  const Answer directory = on_path(command::Operation::remove, "/dir");
  EXPECT_EQ(directory.status, StatusCode::is_a_directory);
  EXPECT_THAT(directory.text, HasSubstr("/dir"));
  EXPECT_EQ(on_path(command::Operation::remove, "/dir", Field::recursive).status, StatusCode::ok);
}

TEST_F(Channels, DirectoriesAreMadeListedAndRemoved) {
  EXPECT_EQ(on_path(command::Operation::make_dir, "/a/b/c", Field::parents).status, StatusCode::ok);
  EXPECT_EQ(put("/a/z", "1", "1").status, StatusCode::ok);
  EXPECT_EQ(put("/a/b/y", "2", "2").status, StatusCode::ok);
  EXPECT_THAT(on_path(command::Operation::list, "/a").names, ElementsAre("b", "z"));
  EXPECT_THAT(on_path(command::Operation::list, "/a", Field::recursive).names,
              ElementsAre("b", "z", "b/c", "b/y"));
  EXPECT_EQ(on_path(command::Operation::remove, "/a").status, StatusCode::is_a_directory);
  EXPECT_EQ(on_path(command::Operation::remove_dir, "/a").status, StatusCode::not_empty);
  EXPECT_EQ(on_path(command::Operation::remove, "/a", Field::recursive).status, StatusCode::ok);
  EXPECT_EQ(on_path(command::Operation::stat, "/a").status, StatusCode::not_found);
}

TEST_F(Channels, EvalAnswersOutputValueAndExceptions) {
  const auto eval = [&](std::string_view source) {
    return run(
        request(command::Operation::eval, [&](FieldWriter& head) { head.text(Field::source, source); }));
  };
  const Answer ok = eval("print");
  EXPECT_EQ(ok.status, StatusCode::ok);
  EXPECT_EQ(ok.output, "print");
  EXPECT_EQ(ok.result, "value");
  const Answer raised = eval("raise");
  EXPECT_EQ(raised.status, StatusCode::exception);
  EXPECT_EQ(raised.text, "ValueError: x");
  EXPECT_THAT(raised.error, HasSubstr("Traceback"));
}

TEST_F(Channels, CancellingAnEval_InterruptsItsJob) {
  const Answer answer = run(
      request(command::Operation::eval, [](FieldWriter& head) { head.text(Field::source, "hang"); }), true);
  EXPECT_EQ(answer.status, StatusCode::interrupted);
  EXPECT_THAT(python_.interrupted, ElementsAre(7u));
}

TEST_F(Channels, ExecWithArguments_SetsThemFirst) {
  run(request(command::Operation::exec, [](FieldWriter& head) {
    head.text(Field::source, "go")
        .text(Field::name, "it's")
        .text(Field::argument, "a")
        .text(Field::argument, "b");
  }));
  EXPECT_THAT(python_.executed, ElementsAre("import sys\nsys.argv[:] = ['it\\'s','a','b']\n", "go"));
}

TEST_F(Channels, ResetIsAnsweredAndThenAskedFor) {
  EXPECT_EQ(
      run(request(command::Operation::reset, [](FieldWriter& head) { head.number(Field::mode, 2); })).status,
      StatusCode::ok);
  ASSERT_TRUE(ending_);
  EXPECT_EQ(ending_->request, boot::ResetRequest::hard);
  EXPECT_EQ(ending_->mode, boot::ModeRequest::safe);
}

TEST_F(Channels, LogFollow_TellsWhatWasLoggedUntilItIsCancelled) {
  log_.log(20, "a", "before");
  const Answer answer = run(
      request(command::Operation::log_follow, [](FieldWriter& head) { head.flag(Field::since_boot); }), true);
  EXPECT_EQ(answer.status, StatusCode::cancelled);
  EXPECT_THAT(answer.log, HasSubstr("before"));
}

TEST_F(Channels, MalformedRequestsAreRefused) {
  EXPECT_EQ(run("not records at all").status, StatusCode::malformed);
  EXPECT_EQ(run("").status, StatusCode::malformed);
  EXPECT_EQ(run(request(static_cast<command::Operation>(200))).status, StatusCode::unsupported);
  EXPECT_EQ(
      run(request(command::Operation::ota_install,
                  [](FieldWriter& head) { head.number(Field::size, 1).bytes(Field::sha256, Sha256{}); }))
          .status,
      StatusCode::unsupported);
  EXPECT_EQ(service_->open_channels(), 0u);
}

}  // namespace
}  // namespace mqboard::board
