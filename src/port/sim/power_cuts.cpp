// Cuts the power at every operation of every scenario, with every kind of damage, and again at every
// operation of the recovery; after at most two starts the board must run the old or the new image, signed,
// keep what was reported done, and be manageable. Closes with `power cuts: N, lost boards: M`; exits 1 if M
// is not 0.
//
//   power_cuts [--seed S] [--first N] [--second N]    N: seeds per cut for each damage that has a choice
//   power_cuts --replay SCHEDULE                       one schedule, as printed for a lost board
#include <charconv>
#include <cstdio>
#include <optional>

#include "core/base/replace_file.hpp"
#include "core/command/transfer.hpp"
#include "port/sim/scenarios.hpp"

namespace mqboard::port::sim {
namespace {

constexpr int kMaxPrinted = 20;

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t first_seeds = 12;
  std::uint64_t second_seeds = 5;
  std::string replay;
};

struct Cut {
  std::uint64_t operation = 0;  // 0: none
  Damage damage = Damage::lost;
  std::uint64_t seed = 0;
};

struct Schedule {
  std::string scenario;
  Cut first{};
  Cut second{};

  [[nodiscard]] std::string text() const {
    std::string result = scenario;
    for (const Cut& cut : {first, second}) {
      result += ":" + std::to_string(cut.operation) + ":" + std::string(name(cut.damage)) + ":" +
                std::to_string(cut.seed);
    }
    return result;
  }
};

// A board that has started after a cut.
struct Start {
  std::optional<boot::BootChoice> choice;
  bool confirmed = false;  // durably, a trial in this start
};

// What mqboot and the firmware do at every start, with the memory of the time before lost.
Start start(World& world) {
  Start result{.choice = world.rig.boot(boot::ResetCause::power_on)};
  if (!result.choice) return result;
  (void)command::remove_stale_temporaries(world.flash, "flash", 0);
  if (result.choice->kind == boot::BootKind::trial) {
    result.confirmed = confirm(world.rig.slots(), result.choice->image).has_value();
  }
  return result;
}

std::string content_of(FileSystem& flash, const std::string& path) {
  std::uint8_t buffer[8192];
  const auto text = read_file(flash, path, buffer);
  return text ? std::string(as_text(*text)) : "(" + std::string(errno_name(text.error())) + ")";
}

std::string check_files(World& world, const Expected& expected) {
  for (const auto& [path, contents] : expected.files) {
    const std::string content = content_of(world.flash, path);
    if (!contents.contains(content)) return path + " holds neither old nor new: " + content.substr(0, 40);
  }
  std::array<boot::CrashStore::Entry, boot::CrashStore::kMaxReports + 1> room;
  const boot::CrashStore store(world.flash);
  const auto entries = store.list(room);
  if (!entries) return "crash reports cannot be listed";
  std::set<std::string> missing = expected.reports;
  for (const auto& entry : *entries) {
    std::vector<std::uint8_t> buffer(boot::kMaxCrashReport);
    const auto text = store.read(entry.id, buffer);
    const auto report = text ? boot::decode_crash_report(*text) : std::nullopt;
    if (!report) return "crash report " + std::to_string(entry.id) + " is spoiled";
    const std::string detail(report->detail);
    if (missing.erase(detail) == 0 && !expected.perhaps.contains(detail))
      return "unexpected crash report " + detail;
  }
  if (!missing.empty()) return "crash report " + *missing.begin() + " is lost";
  return {};
}

// The board takes an update to the end, a configuration and a crash report.
std::string manage(World& world, boot::BootImage running) {
  if (!world.rig.install(running, world.stage.image("9"), 1000)) return "it takes no update";
  const auto trial = world.rig.boot(boot::ResetCause::hard_reset);
  if (!trial || trial->version.view() != "9") return "it does not try an update";
  if (!confirm(world.rig.slots(), trial->image)) return "an update cannot be confirmed";
  const auto confirmed = world.rig.boot(boot::ResetCause::crash);
  if (!confirmed || confirmed->version.view() != "9") return "it does not keep an update";
  if (!replace_file(world.flash, "flash/board.toml", as_bytes("x"))) return "it takes no configuration";
  boot::CrashStore store(world.flash);
  if (!store.add({.cause = boot::CrashCause::killed, .detail = "managed"})) return "it keeps no crash report";
  return {};
}

class Simulation {
 public:
  explicit Simulation(const Options& options) : options_(options) {}

  int run_all();

 private:
  void run_scenario(const Scenario& scenario);
  void recover(const Scenario& scenario, const FaultyFlash& medium, bool done, Schedule schedule);
  std::string verdict(World& world, const Start& started, const Expected& expected);
  void count(const Schedule& schedule, const std::string& fault);
  [[nodiscard]] bool wanted(const Schedule& schedule) const {
    return options_.replay.empty() || options_.replay == schedule.text();
  }
  template<class Visit>
  void for_each_outcome(std::uint64_t operation, std::uint64_t seeds, Visit visit) const;

  Options options_;
  Stage stage_;
  std::map<std::pair<std::uint64_t, boot::BootImage>, std::string> managed_;
  std::uint64_t cuts_ = 0;
  std::uint64_t lost_ = 0;
};

template<class Visit>
void Simulation::for_each_outcome(std::uint64_t operation, std::uint64_t seeds, Visit visit) const {
  for (const Damage damage : kDamages) {
    const std::uint64_t choices = damage == Damage::lost ? 1 : seeds;
    for (std::uint64_t i = 0; i < choices; ++i) {
      visit(Cut{.operation = operation, .damage = damage, .seed = options_.seed * 1000 + i});
    }
  }
}

void Simulation::count(const Schedule& schedule, const std::string& fault) {
  ++cuts_;
  if (fault.empty()) return;
  if (++lost_ <= kMaxPrinted) std::printf("lost board: %s: %s\n", schedule.text().c_str(), fault.c_str());
}

std::string Simulation::verdict(World& world, const Start& started, const Expected& expected) {
  if (!started.choice) return "nothing to start";
  const boot::BootChoice& choice = *started.choice;
  const auto slot = slot_of(choice.image);
  if (!slot || !world.rig.load(*slot, world.rig.slots().record(*slot))) return "what runs is not signed";
  if (choice.kind == boot::BootKind::last_resort) return "it runs its last resort";
  if (choice.mode != boot::BootMode::normal) return "it runs in safe mode";
  const std::string version(choice.version.view());
  if (!expected.versions.contains(version)) return "it runs version " + version;
  if (std::string fault = check_files(world, expected); !fault.empty()) return fault;
  // A management cycle is the same for the same medium.
  const auto [known, is_new] = managed_.try_emplace({world.flash.fingerprint(), choice.image});
  if (is_new) known->second = manage(world, choice.image);
  return known->second;
}

// Starts the board whose medium is as the first cut left it: to the end, and with a second cut at every
// operation.
void Simulation::recover(const Scenario& scenario, const FaultyFlash& medium, bool done, Schedule schedule) {
  // The operator, not having heard of success, does it again: its operations are cut as well.
  const auto start_and_retry = [&](World& world) {
    Start started = start(world);
    bool succeeded = done;
    if (!done && started.choice && !world.flash.is_off()) {
      succeeded = scenario.act(world, started.choice->image);
    }
    return std::pair(started, succeeded);
  };
  if (wanted(schedule)) {
    World world(stage_, medium);
    const Start started = start(world);
    count(schedule, verdict(world, started, scenario.expected(done)));
  }
  World whole(stage_, medium);
  (void)start_and_retry(whole);
  const std::uint64_t operations = whole.flash.operations();
  for (std::uint64_t operation = 1; operation <= operations; ++operation) {
    World interrupted(stage_, medium);
    interrupted.flash.cut_at(operation);
    const auto [started, succeeded] = start_and_retry(interrupted);
    Expected expected = scenario.expected(succeeded);
    if (started.confirmed && !succeeded) expected.versions = {std::string(started.choice->version.view())};
    for_each_outcome(operation, options_.second_seeds, [&](const Cut& cut) {
      schedule.second = cut;
      if (!wanted(schedule)) return;
      FaultyFlash after = interrupted.flash;
      after.power_on(cut.damage, cut.seed);
      World world(stage_, after);
      const Start again = start(world);
      count(schedule, verdict(world, again, expected));
    });
  }
}

void Simulation::run_scenario(const Scenario& scenario) {
  World before(stage_, formatted_medium());
  const boot::BootImage running = scenario.prepare(before);
  before.flash.power_on(Damage::lost, 0);
  const auto on_stage = [&](World& world) {
    world.rig.slots().load();
    return scenario.act(world, running);
  };
  World whole(stage_, before.flash);
  if (!on_stage(whole)) return count({.scenario = scenario.name()}, "the operation fails without any cut");
  const std::uint64_t operations = whole.flash.operations();
  const std::uint64_t cuts_before = cuts_;
  // One beyond the last: the cut right after success was reported.
  for (std::uint64_t operation = 1; operation <= operations + 1; ++operation) {
    World interrupted(stage_, before.flash);
    interrupted.flash.cut_at(operation);
    const bool done = on_stage(interrupted);
    for_each_outcome(operation, options_.first_seeds, [&](const Cut& cut) {
      FaultyFlash after = interrupted.flash;
      after.power_on(cut.damage, cut.seed);
      recover(scenario, after, done, {.scenario = scenario.name(), .first = cut, .second = {}});
    });
  }
  std::printf("%-22s %2llu operations, %llu cuts\n", scenario.name().c_str(),
              static_cast<unsigned long long>(operations),
              static_cast<unsigned long long>(cuts_ - cuts_before));
}

int Simulation::run_all() {
  std::printf("seed %llu\n", static_cast<unsigned long long>(options_.seed));
  for (const auto& scenario : all_scenarios()) run_scenario(*scenario);
  std::printf("%zu distinct boards managed afterwards\n", managed_.size());
  std::printf("power cuts: %llu, lost boards: %llu\n", static_cast<unsigned long long>(cuts_),
              static_cast<unsigned long long>(lost_));
  return lost_ == 0 ? 0 : 1;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const std::string_view value = argv[i + 1];
    if (key == "--replay") {
      options.replay = value;
      continue;
    }
    std::uint64_t* const number = key == "--seed"     ? &options.seed
                                  : key == "--first"  ? &options.first_seeds
                                  : key == "--second" ? &options.second_seeds
                                                      : nullptr;
    if (number == nullptr) return {};
    if (std::from_chars(value.data(), value.data() + value.size(), *number).ec != std::errc{}) return {};
  }
  if (argc % 2 == 0) return {};
  return options;
}

}  // namespace
}  // namespace mqboard::port::sim

int main(int argc, char** argv) {
  const auto options = mqboard::port::sim::parse(argc, argv);
  if (!options) {
    std::fputs("usage: power_cuts [--seed S] [--first N] [--second N] [--replay SCHEDULE]\n", stderr);
    return 2;
  }
  return mqboard::port::sim::Simulation(*options).run_all();
}
