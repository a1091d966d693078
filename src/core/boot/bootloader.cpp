#include "core/boot/bootloader.hpp"

namespace mqboard::boot {
namespace {

constexpr SlotId kSlots[] = {SlotId::a, SlotId::b};

std::optional<SlotState> state_of(Candidate candidate) {
  switch (candidate) {
    case Candidate::trial_slot:
      return SlotState::trial;
    case Candidate::new_slot:
      return SlotState::fresh;
    case Candidate::confirmed_slot:
      return SlotState::confirmed;
    case Candidate::bad_slot:
      return SlotState::bad;
    case Candidate::empty_slot:
      return SlotState::empty;
    case Candidate::factory:
      break;
  }
  return {};
}

}  // namespace

std::string_view name(BootImage image) {
  const auto slot = slot_of(image);
  return slot ? name(*slot) : "factory";
}

std::optional<BootChoice> Bootloader::choose(const BootEvent& event, const BootSettings& settings) {
  for (const SlotId slot : kSlots) records_[index(slot)] = slots_.record(slot);
  settle_trials(event.last_run.cause);
  auto choice = choose_image(settings);
  if (!choice) return {};
  const std::uint8_t failed_boots = count_failed_boots(event.last_run, event.failed_boots);
  const ModeDecision decision =
      decide_mode(choice->kind, event.request, failed_boots, settings.max_failed_boots);
  choice->mode = decision.mode;
  choice->failed_boots = decision.failed_boots;
  return choice;
}

void Bootloader::settle_trials(ResetCause cause) {
  for (const SlotId slot : kSlots) {
    const SlotRecord& record = records_[index(slot)];
    if (record.state != SlotState::trial) continue;
    const BadReason verdict = judge_trial(cause, record.attempts);
    if (verdict != BadReason::none) mark_bad(slot, verdict);
  }
}

std::optional<BootChoice> Bootloader::choose_image(const BootSettings& settings) {
  for (const CandidateRow& row : kCandidateTable) {
    BootChoice choice{.image = BootImage::factory, .kind = row.kind};
    const auto state = state_of(row.candidate);
    if (!state) {
      if (settings.has_factory) return choice;
      continue;
    }
    const SlotId first = records_[0].order >= records_[1].order ? SlotId::a : SlotId::b;
    for (const SlotId slot : {first, other(first)}) {
      if (records_[index(slot)].state != *state || !start(slot, row, choice.version)) continue;
      choice.image = boot_image(slot);
      return choice;
    }
  }
  return {};
}

bool Bootloader::start(SlotId slot, const CandidateRow& row, Label& version) {
  SlotRecord record = records_[index(slot)];
  const auto loaded = loader_.load(slot, record);
  if (!loaded) {
    observer_.unverifiable(slot, record.state, loaded.error());
    if (row.bad_when_unverifiable) mark_bad(slot, BadReason::unverifiable);
    return false;
  }
  version = loaded->header ? loaded->header->version : Label{};
  if (row.kind != BootKind::trial) return true;
  record.attempts = record.state == SlotState::trial ? record.attempts + 1 : 1;
  record.state = SlotState::trial;
  return update(slot, record);
}

bool Bootloader::update(SlotId slot, const SlotRecord& record) {
  const auto stored = slots_.store(slot, record);
  if (!stored) observer_.not_recorded(slot, stored.error());
  return stored.has_value();
}

void Bootloader::mark_bad(SlotId slot, BadReason reason) {
  SlotRecord& record = records_[index(slot)];
  record.state = SlotState::bad;
  record.reason = reason;
  observer_.became_bad(slot, record);
  (void)update(slot, record);
}

}  // namespace mqboard::boot
