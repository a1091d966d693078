// Operations on the board itself: info, reset, its log, its crash reports, its firmware.
#include <algorithm>
#include <utility>

#include "board/log_service.hpp"
#include "board/operation.hpp"
#include "board/services.hpp"
#include "board/text.hpp"

namespace mqboard::board {

using command::Field;
using command::FieldWriter;
using command::RecordKind;
using command::Request;
using command::Status;
using command::StatusCode;

namespace {

class Done final : public Operation {};

class LogFollow final : public Operation {
 public:
  LogFollow(const Request& request, Services& services, Reply& reply)
      : services_(services),
        reply_(reply),
        level_(static_cast<int>(request.fields.number(Field::level).value_or(0))),
        name_(request.fields.text(Field::name).value_or("")),
        sequence_(request.fields.flag(Field::since_boot) ? 0 : services.log.last_sequence()),
        follower_(services.log.follow(reply.wake())) {}
  ~LogFollow() override { services_.log.unfollow(follower_); }
  LogFollow(const LogFollow&) = delete;
  LogFollow& operator=(const LogFollow&) = delete;

  // A follower that is slower than the log misses what the log drops.
  void pump() override {
    while (reply_.room() > log::kMaxLine) {
      const auto line = services_.log.after(sequence_, level_, name_);
      if (!line) return;
      sequence_ = line->sequence;
      reply_.record(RecordKind::log, line->text);
    }
  }

 private:
  Services& services_;
  Reply& reply_;
  const int level_;
  const std::string name_;
  std::uint32_t sequence_;
  const LogService::Follower follower_;
};

constexpr std::chrono::milliseconds kAskAgain{250};

// The image is checked as it arrives and once more as it was stored.
class Install final : public Operation {
 public:
  Install(const Request& request, Services& services, Reply& reply)
      : services_(services),
        reply_(reply),
        size_(request.fields.number(Field::size).value_or(0)),
        image_(request.sha256().value_or(Sha256{})),
        resume_(request.fields.flag(Field::resume)) {
    open();
  }
  ~Install() override {
    if (sink_) sink_->suspend();
  }
  Install(const Install&) = delete;
  Install& operator=(const Install&) = delete;

  void pump() override {
    if (waits_) open();
  }

  void piece(const command::RecordReader::Piece& piece) override {
    if (piece.kind == RecordKind::head && sink_) return go_on_from(piece.payload);
    if (piece.kind != RecordKind::body || !sink_) return;
    if (piece.payload.size() > size_ - received_)
      return give_up({StatusCode::malformed, "more than announced"});
    received_ += piece.payload.size();
    if (const Status written = sink_->write(piece.payload); !written.ok()) give_up(written);
  }

  void ended() override {
    if (identical_) return reply_.finish();
    if (waits_) return reply_.finish({StatusCode::malformed, "nothing of the image"});
    if (!sink_) return;
    if (received_ != size_) return give_up({StatusCode::malformed, "less than announced"});
    const Status stored = std::exchange(sink_, nullptr)->commit();
    if (stored.ok())
      services_.report(30, concat("firmware of ", size_, " bytes installed: runs with the next reset"));
    reply_.finish(stored);
  }

  // What has arrived is kept for the next attempt.
  void cancel(Reply& reply) override { reply.finish({StatusCode::cancelled, "firmware"}); }

 private:
  void open() {
    waits_ = false;
    UpdateOperator me{.who = concat("session ", reply_.opener().session),
                      .heard_at = reply_.opener().heard_at,
                      .ask = reply_.opener().ask,
                      .displaced = [this](const Status& why) {
                        sink_.reset();
                        reply_.finish(why);
                        reply_.wake()();
                      }};
    auto opened = resume_ ? services_.updates->resume(image_, std::move(me))
                          : services_.updates->open(image_, std::move(me));
    if (opened) {
      sink_ = std::move(*opened);
      if (resume_) tell(sink_->found());
    } else if (resume_ && services_.updates->undecided()) {
      waits_ = true;  // the opener sends nothing before he is told what there is
      services_.after(kAskAgain, reply_.wake());
    } else {
      reply_.finish(opened.error());
    }
  }

  void tell(const UpdateSink::Found& found) {
    if (found.identical) {
      identical_ = true;
      sink_.reset();
      return reply_.fields(RecordKind::head, [](FieldWriter& head) { head.flag(Field::identical); });
    }
    reply_.fields(RecordKind::head, [&](FieldWriter& head) {
      head.number(Field::offset, found.bytes).bytes(Field::sha256, found.hash);
    });
  }

  void go_on_from(Bytes head) {
    const std::uint64_t offset = command::Fields(head).number(Field::offset).value_or(0);
    if (offset == 0) return;  // the first write begins anew
    if (offset != sink_->found().bytes || offset > size_ || received_ != 0)
      return give_up({StatusCode::malformed, "cannot continue there"});
    received_ = offset;
    if (const Status there = sink_->go_on(); !there.ok()) give_up(there);
  }

  void give_up(const Status& status) {
    std::exchange(sink_, nullptr)->abort();
    reply_.finish(status);
  }

  Services& services_;
  Reply& reply_;
  const std::uint64_t size_;
  const Sha256 image_;
  const bool resume_;
  bool waits_ = false;  // for another installation to show whether anybody is behind it
  std::uint64_t received_ = 0;
  std::unique_ptr<UpdateSink> sink_;
  bool identical_ = false;
};

Status log_level(const Request& request, Services& services, Reply& reply) {
  if (const auto level = request.fields.number(Field::level)) {
    const std::string name(request.fields.text(Field::name).value_or(""));
    if (*level > 50) return {StatusCode::invalid, "a level is 10, 20, 30, 40 or 50; 0 takes it back"};
    if (!services.log.set_level(name, static_cast<int>(*level))) {
      return {StatusCode::too_large, concat(name, ": the board keeps levels of no more loggers")};
    }
    services.level_changed(name, static_cast<int>(*level));
  }
  for (const auto& [name, level] : services.log.levels()) {
    reply.fields(RecordKind::entry, [&](FieldWriter& entry) {
      entry.text(Field::name, name).number(Field::level, static_cast<std::uint64_t>(level));
    });
  }
  return {};
}

Status reset(const Request& request, Services& services) {
  const auto mode = static_cast<command::ResetMode>(request.fields.number(Field::mode).value_or(0));
  Ending ending;
  switch (mode) {
    case command::ResetMode::soft:
      ending.request = boot::ResetRequest::soft;
      break;
    case command::ResetMode::hard:
      ending.request = boot::ResetRequest::hard;
      break;
    case command::ResetMode::safe:
      ending.request = boot::ResetRequest::hard;
      ending.mode = boot::ModeRequest::safe;
      break;
    case command::ResetMode::normal:
      ending.request = boot::ResetRequest::hard;
      ending.mode = boot::ModeRequest::normal;
      break;
    default:
      return {StatusCode::unsupported, "no such kind of reset"};
  }
  constexpr std::uint64_t kLongest_ms = 3'600'000;
  const std::chrono::milliseconds delay(
      std::min(request.fields.number(Field::delay).value_or(0), kLongest_ms));
  services.report(50,
                  concat("reset by an operator", mode == command::ResetMode::safe ? " into safe mode" : ""));
  services.after(delay, [end = services.end, ending] { end(ending); });
  return {};
}

Status list_crashes(Services& services, Reply& reply) {
  if (services.crashes == nullptr) return {};
  for (const auto& crash : services.crashes->list()) {
    reply.fields(RecordKind::entry, [&](FieldWriter& entry) {
      entry.text(Field::name, crash.name)
          .number(Field::size, crash.size_bytes)
          .number(Field::modified_s, static_cast<std::uint64_t>(std::max<std::int64_t>(0, crash.time_s)))
          .text(Field::text, crash.headline);
    });
  }
  return {};
}

Status get_crash(const Request& request, Services& services, Reply& reply) {
  const std::string name(request.fields.text(Field::name).value_or(""));
  if (services.crashes == nullptr) return command::file_status(FsError::not_found, name);
  const auto report = services.crashes->read(name);
  if (!report) return command::file_status(report.error(), name);
  reply.fields(RecordKind::head, [&](FieldWriter& head) { head.number(Field::size, report->size()); });
  reply.body(*report);
  return {};
}

Status remove_crash(const Request& request, Services& services) {
  if (services.crashes == nullptr) return {};
  std::vector<std::string> names;
  if (request.fields.flag(Field::recursive)) {
    for (const auto& crash : services.crashes->list()) names.push_back(crash.name);
  } else {
    names.emplace_back(request.fields.text(Field::name).value_or(""));
  }
  for (const auto& name : names) {
    if (const auto removed = services.crashes->remove(name); !removed) {
      return command::file_status(removed.error(), name);
    }
  }
  return {};
}

std::unique_ptr<Operation> make_update_operation(const Request& request, Services& services, Reply& reply) {
  using Kind = command::Operation;
  if (services.updates == nullptr) {
    reply.finish({StatusCode::unsupported, "this board runs without mqboot: it has no firmware slots"});
    return std::make_unique<Done>();
  }
  switch (request.operation) {
    case Kind::ota_install:
      return std::make_unique<Install>(request, services, reply);
    case Kind::ota_confirm:
      reply.finish(services.updates->confirm());
      break;
    case Kind::ota_rollback:
      reply.finish(services.updates->roll_back());
      break;
    default:
      reply.record(RecordKind::result, services.updates->status_json());
      reply.finish();
  }
  return std::make_unique<Done>();
}

}  // namespace

std::unique_ptr<Operation> make_board_operation(const Request& request, Services& services, Reply& reply) {
  using Kind = command::Operation;
  switch (request.operation) {
    case Kind::info:
      reply.record(RecordKind::result, services.info_json());
      reply.finish();
      break;
    case Kind::reset:
      reply.finish(reset(request, services));
      break;
    case Kind::log_follow:
      return std::make_unique<LogFollow>(request, services, reply);
    case Kind::log_level:
      reply.finish(log_level(request, services, reply));
      break;
    case Kind::crash_list:
      reply.finish(list_crashes(services, reply));
      break;
    case Kind::crash_get:
      reply.finish(get_crash(request, services, reply));
      break;
    case Kind::crash_remove:
      reply.finish(remove_crash(request, services));
      break;
    case Kind::ota_install:
    case Kind::ota_status:
    case Kind::ota_confirm:
    case Kind::ota_rollback:
      return make_update_operation(request, services, reply);
    default:
      return nullptr;
  }
  return std::make_unique<Done>();
}

}  // namespace mqboard::board
