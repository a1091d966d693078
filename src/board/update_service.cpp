#include "board/update_service.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "board/text.hpp"
#include "core/base/json_text.hpp"

namespace mqboard::board {

using command::Status;
using command::StatusCode;

namespace {

Status status_of(const boot::InstallFailure& failure) {
  if (failure.error == boot::ImageError::storage && failure.storage) {
    return {command::status_code(*failure.storage), concat("firmware slot: ", describe(*failure.storage))};
  }
  using enum boot::ImageError;
  StatusCode code = StatusCode::refused;
  switch (failure.error) {
    case hash_mismatch:
    case truncated:
    case trailing:
      code = StatusCode::integrity;
      break;
    case too_large:
      code = StatusCode::too_large;
      break;
    case not_in_progress:
      code = StatusCode::internal;
      break;
    default:
      break;
  }
  return {code, boot::describe(failure.error)};
}

boot::ImagePolicy policy(const port::BootClient& boot, const OtaConfig& config) {
  boot::ImagePolicy policy;
  policy.product = *boot::Label::make("mqboard");
  policy.hardware = boot.system().hardware;
  policy.allow_plain = config.allow_unsigned;
  return policy;
}

std::string read_text(const std::string& path) {
  std::string text(4096, '\0');
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t count = fd < 0 ? 0 : ::read(fd, text.data(), text.size());
  if (fd >= 0) ::close(fd);
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

void append_slot(std::string& json, const boot::SlotStore& slots, boot::SlotId slot) {
  const auto& record = slots.record(slot);
  json += concat(",\"", boot::name(slot), "\":{\"state\":\"", boot::name(record.state), "\"");
  if (record.reason != boot::BadReason::none)
    json += concat(",\"reason\":\"", boot::name(record.reason), "\"");
  if (!record.version.empty()) {
    json += ",\"version\":";
    append_json_string(json, record.version.view());
  }
  json += concat(",\"bytes\":", record.image_bytes, ",\"security_counter\":", record.security_counter, "}");
}

}  // namespace

class UpdateService::Installation final : public UpdateSink {
 public:
  Installation(UpdateService& service, const Sha256& image, UpdateOperator installer, const Found& found)
      : service_(service), image_(image), operator_(std::move(installer)), found_(found) {
    service_.active_ = this;
    service_.asked_at_.reset();
  }
  ~Installation() override { abort(); }
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;

  [[nodiscard]] const Sha256& image() const { return image_; }
  [[nodiscard]] const UpdateOperator& installer() const { return operator_; }
  [[nodiscard]] Found found() const override { return found_; }

  Status go_on() override {
    if (!active()) return displaced_;
    return status_of(service_.installer_.go_on());
  }
  Status write(Bytes data) override {
    if (!active()) return displaced_;
    return status_of(service_.installer_.write(data));
  }
  Status commit() override {
    if (!active()) return displaced_;
    const auto slot = service_.installer_.commit();
    release();
    if (!slot) return status_of(slot.error());
    service_.report_(
        30, concat("new firmware in slot ", boot::name(*slot), ": it runs on trial with the next reset"));
    return {};
  }
  void abort() override {
    if (active()) service_.installer_.abort();
    release();
  }
  void suspend() override {
    if (active()) service_.installer_.suspend();
    release();
  }
  // May destroy this.
  void give_way(std::string_view to) {
    suspend();
    displaced_ = {StatusCode::cancelled, to};
    const auto tell = operator_.displaced;
    tell(Status(displaced_));
  }

 private:
  [[nodiscard]] bool active() const { return service_.active_ == this; }
  void release() {
    if (!active()) return;
    service_.active_ = nullptr;
    service_.asked_at_.reset();
  }
  static Status status_of(const boot::InstallFailure& failure) { return board::status_of(failure); }
  static Status status_of(const boot::InstallResult<void>& done) {
    return done ? Status{} : status_of(done.error());
  }

  UpdateService& service_;
  const Sha256 image_;
  const UpdateOperator operator_;
  Status displaced_{StatusCode::internal, "the installation is over"};
  const Found found_;
};

UpdateService::UpdateService(port::BootClient& boot, const OtaConfig& config,
                             std::function<void(int, std::string_view)> report,
                             std::function<TimePoint()> now)
    : boot_(boot),
      report_(std::move(report)),
      scratch_(16 * 1024),
      installer_(*boot.slots(), policy(boot, config), {hasher_, keys_, scratch_}),
      now_(std::move(now)) {
  if (const auto added = port::add_keys_from(*boot.slot_files(), "keys", keys_); !added)
    report_(40, added.error());
  if (config.public_key.empty()) return;
  if (const auto key = port::public_key_from_pem(read_text(config.public_key))) {
    keys_.add(*key);
  } else {
    report_(40, concat("ota.public_key: ", config.public_key, ": ", key.error()));
  }
}

UpdateService::~UpdateService() = default;

std::optional<Status> UpdateService::refusal(const Sha256& announced) {
  if (active_ == nullptr) return {};
  const UpdateOperator& installer = active_->installer();
  if (active_->image() == announced) {
    active_->give_way("a newer installation of the same image goes on with it");
    return {};
  }
  const std::string who = installer.who;
  if (is_gone(installer)) {
    report_(30, concat("the installation of ", who, " is given up: nothing is heard from there"));
    active_->give_way("nothing was heard from here, and another installation took its place");
    return {};
  }
  const auto& header = installer_.header();
  return Status(
      StatusCode::busy,
      concat("another update is being installed", header ? ": version " : "",
             header ? header->version.view() : "", ", ", installer_.bytes(), " bytes so far, by ", who,
             undecided() ? ", where perhaps nobody is any more: try again in some seconds" : ""));
}

// A sign of life answers the one who asked for it; the next one asks anew.
bool UpdateService::is_gone(const UpdateOperator& installer) {
  const TimePoint now = now_();
  const TimePoint heard_at = installer.heard_at();
  if (asked_at_ && heard_at > *asked_at_) {
    const bool recent = now - heard_at < kAnswerTime;
    asked_at_.reset();
    if (recent) return false;
  }
  if (!asked_at_) asked_at_ = now;
  if (!installer.ask) return now - heard_at >= kSilence;
  installer.ask();
  return now - *asked_at_ >= kAnswerTime;
}

Result<std::unique_ptr<UpdateSink>, Status> UpdateService::open(const Sha256& announced,
                                                                UpdateOperator installer) {
  if (auto refused = refusal(announced)) return Failure<Status>(*std::move(refused));
  if (const auto begun = installer_.begin(boot_.system().choice.image, announced); !begun) {
    return Failure<Status>(status_of(begun.error()));
  }
  return std::make_unique<Installation>(*this, announced, std::move(installer), UpdateSink::Found{});
}

Result<std::unique_ptr<UpdateSink>, Status> UpdateService::resume(const Sha256& announced,
                                                                  UpdateOperator installer) {
  if (auto refused = refusal(announced)) return Failure<Status>(*std::move(refused));
  const boot::BootImage running = boot_.system().choice.image;
  UpdateSink::Found found{.identical = installer_.next_is(announced)};
  if (!found.identical) {
    const auto prefix = installer_.resume(running, announced);
    if (!prefix) return Failure<Status>(status_of(prefix.error()));
    found = {.bytes = prefix->bytes, .hash = prefix->hash};
  }
  return std::make_unique<Installation>(*this, announced, std::move(installer), found);
}

Status UpdateService::confirm() {
  if (const auto confirmed = boot_.confirm(); !confirmed) {
    return {command::status_code(confirmed.error()), concat("slot record: ", describe(confirmed.error()))};
  }
  report_(30, "firmware confirmed by an operator");
  return {};
}

Status UpdateService::roll_back() {
  if (const auto rolled = boot_.roll_back(); !rolled)
    return {StatusCode::refused, boot::describe(rolled.error())};
  report_(50, "firmware rolled back by an operator: the other slot runs with the next reset");
  return {};
}

std::string UpdateService::status_json() {
  const auto& system = boot_.system();
  std::string json = concat("{\"running\":\"", boot::name(system.choice.image), "\",\"kind\":\"",
                            boot::name(system.choice.kind), "\",\"hardware\":");
  append_json_string(json, system.hardware.view());
  json += concat(",\"trusted_keys\":", keys_.size());
  for (const boot::SlotId slot : {boot::SlotId::a, boot::SlotId::b}) append_slot(json, *boot_.slots(), slot);
  return json + "}";
}

}  // namespace mqboard::board
