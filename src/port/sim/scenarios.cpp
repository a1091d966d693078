#include "port/sim/scenarios.hpp"

#include <cstdlib>

#include "core/base/replace_file.hpp"
#include "core/command/transfer.hpp"

namespace mqboard::port::sim {
namespace {

using boot::BootImage;
using boot::ResetCause;

constexpr std::string_view kConfig = "flash/board.toml";
constexpr std::string_view kModule = "flash/blinky.py";

const std::string kOldConfig = "[board]\nkind = \"old\"\n" + std::string(600, '#');
const std::string kNewConfig = "[board]\nkind = \"new\"\n" + std::string(700, '#');
const std::string kOldModule = "print('old')\n" + std::string(900, '#');
const std::string kNewModule = "print('new')\n" + std::string(1500, '#');

// Preparing happens with the power on: what fails there is a fault of the simulation.
void must(bool success) {
  if (!success) std::abort();
}

bool install(World& world, BootImage running, const std::string& version) {
  return world.rig.install(running, world.stage.image(version), 1000).has_value();
}

void install_and_confirm(World& world, BootImage running, const std::string& version) {
  must(install(world, running, version));
  const auto choice = world.rig.boot(ResetCause::hard_reset);
  must(choice && choice->kind == boot::BootKind::trial);
  must(confirm(world.rig.slots(), choice->image).has_value());
}

// The board most scenarios start from: version 1 confirmed in slot a, an older one in slot b, its files.
BootImage prepare_board(World& world) {
  world.rig.slots().load();
  install_and_confirm(world, BootImage::a, "0");
  install_and_confirm(world, BootImage::b, "1");
  must(replace_file(world.flash, kConfig, as_bytes(kOldConfig)).has_value());
  must(replace_file(world.flash, kModule, as_bytes(kOldModule)).has_value());
  return BootImage::a;
}

Expected board_with(std::set<std::string> versions) {
  Expected expected;
  expected.versions = std::move(versions);
  expected.files[std::string(kConfig)] = {kOldConfig};
  expected.files[std::string(kModule)] = {kOldModule};
  return expected;
}

class Install final : public Scenario {
 public:
  std::string name() const override { return "install"; }
  BootImage prepare(World& world) const override { return prepare_board(world); }
  bool act(World& world, BootImage running) const override { return install(world, running, "2"); }
  Expected expected(bool done) const override {
    return board_with(done ? std::set<std::string>{"2"} : std::set<std::string>{"1", "2"});
  }
};

// Behind what an installation before has left.
class ResumedInstall final : public Scenario {
 public:
  std::string name() const override { return "resumed-install"; }
  BootImage prepare(World& world) const override {
    const BootImage running = prepare_board(world);
    must(world.rig.install_part(running, world.stage.image("2"), 1200));
    return running;
  }
  bool act(World& world, BootImage running) const override {
    return world.rig.install_resumed(running, world.stage.image("2"), 500).has_value();
  }
  Expected expected(bool done) const override {
    return board_with(done ? std::set<std::string>{"2"} : std::set<std::string>{"1", "2"});
  }
};

class Trial final : public Scenario {
 public:
  std::string name() const override { return "trial"; }
  BootImage prepare(World& world) const override {
    prepare_board(world);
    must(install(world, BootImage::a, "2"));
    return BootImage::a;
  }
  bool act(World& world, BootImage) const override {
    const auto choice = world.rig.boot(ResetCause::hard_reset);
    return choice && choice->image == BootImage::b;
  }
  Expected expected(bool done) const override {
    return board_with(done ? std::set<std::string>{"2"} : std::set<std::string>{"1", "2"});
  }
};

class Confirm final : public Scenario {
 public:
  std::string name() const override { return "confirm"; }
  BootImage prepare(World& world) const override {
    prepare_board(world);
    must(install(world, BootImage::a, "2"));
    must(world.rig.boot(ResetCause::hard_reset).has_value());
    return BootImage::b;
  }
  bool act(World& world, BootImage running) const override {
    return !world.flash.is_off() && confirm(world.rig.slots(), running).has_value();
  }
  Expected expected(bool) const override { return board_with({"2"}); }
};

// The trial crashed; the start after it rolls back.
class RollBackOfTrial final : public Scenario {
 public:
  std::string name() const override { return "rollback"; }
  BootImage prepare(World& world) const override {
    prepare_board(world);
    must(install(world, BootImage::a, "2"));
    must(world.rig.boot(ResetCause::hard_reset).has_value());
    return BootImage::b;
  }
  bool act(World& world, BootImage) const override {
    const auto choice = world.rig.boot(ResetCause::crash);
    return choice && choice->image == BootImage::a && !world.flash.is_off();
  }
  Expected expected(bool done) const override {
    return board_with(done ? std::set<std::string>{"1"} : std::set<std::string>{"1", "2"});
  }
};

class RollBackByOperator final : public Scenario {
 public:
  std::string name() const override { return "operator-rollback"; }
  BootImage prepare(World& world) const override {
    prepare_board(world);
    install_and_confirm(world, BootImage::a, "2");
    return BootImage::b;
  }
  bool act(World& world, BootImage running) const override {
    return roll_back(world.rig.slots(), running).has_value();
  }
  Expected expected(bool done) const override {
    return board_with(done ? std::set<std::string>{"1"} : std::set<std::string>{"1", "2"});
  }
};

class CrashReport final : public Scenario {
 public:
  std::string name() const override { return "crash-report"; }
  BootImage prepare(World& world) const override {
    prepare_board(world);
    for (std::size_t i = 0; i < boot::CrashStore::kMaxReports; ++i) must(add(world, std::to_string(i)));
    return BootImage::a;
  }
  bool act(World& world, BootImage) const override { return add(world, "latest"); }
  Expected expected(bool done) const override {
    Expected expected = board_with({"1"});
    for (std::size_t i = 2; i < boot::CrashStore::kMaxReports; ++i)
      expected.reports.insert(std::to_string(i));
    // Done twice, because the first time was not reported done, it drops two.
    expected.perhaps = {"0", "1", "latest"};
    if (done) expected.reports.insert("latest");
    return expected;
  }

 private:
  static bool add(World& world, const std::string& detail) {
    boot::CrashStore store(world.flash);
    return store.add({.cause = boot::CrashCause::signal, .detail = detail, .log = "I last words\n"})
        .has_value();
  }
};

class ConfigurationChange final : public Scenario {
 public:
  std::string name() const override { return "configuration-change"; }
  BootImage prepare(World& world) const override { return prepare_board(world); }
  bool act(World& world, BootImage) const override {
    return replace_file(world.flash, kConfig, as_bytes(kNewConfig)).has_value();
  }
  Expected expected(bool done) const override {
    Expected expected = board_with({"1"});
    auto& contents = expected.files[std::string(kConfig)];
    contents.insert(kNewConfig);
    if (done) contents.erase(kOldConfig);
    return expected;
  }
};

class Put final : public Scenario {
 public:
  explicit Put(bool resumed) : resumed_(resumed) {}
  std::string name() const override { return resumed_ ? "resumed-put" : "put"; }
  BootImage prepare(World& world) const override { return prepare_board(world); }
  bool act(World& world, BootImage) const override {
    command::FileSink sink(world.flash, world.stage.bench.hasher, world.stage.bench.scratch);
    Bytes content = as_bytes(kNewModule);
    if (!resumed_) {
      if (!sink.create(kModule, 1).ok()) return false;
    } else {
      const auto prefix = sink.resume(kModule, sha256(content), content.size());
      if (!prefix) return false;
      const auto held = static_cast<std::size_t>(prefix->bytes);
      if (prefix->hash == sha256(content.first(held))) {
        content = content.subspan(held);
      } else if (!sink.restart().ok()) {
        return false;
      }
    }
    for (; !content.empty(); content = content.subspan(std::min<std::size_t>(content.size(), 500))) {
      if (!sink.write(content.first(std::min<std::size_t>(content.size(), 500))).ok()) return false;
    }
    return sink.commit().ok();
  }
  Expected expected(bool done) const override {
    Expected expected = board_with({"1"});
    auto& contents = expected.files[std::string(kModule)];
    contents.insert(kNewModule);
    if (done) contents.erase(kOldModule);
    return expected;
  }

 private:
  bool resumed_;
};

}  // namespace

Stage::Stage() {
  for (const char* const version : {"0", "1", "2", "9"}) {
    images[version] = bench.vendor.image(version, 1, "firmware " + std::string(2000, version[0]));
  }
}

FaultyFlash formatted_medium() {
  FaultyFlash flash;
  boot::SlotStore slots(flash);
  must(slots.prepare().has_value());
  must(flash.make_directory("flash").has_value());
  must(flash.sync_directory("").has_value());
  return flash;
}

std::vector<std::unique_ptr<Scenario>> all_scenarios() {
  std::vector<std::unique_ptr<Scenario>> scenarios;
  scenarios.push_back(std::make_unique<Install>());
  scenarios.push_back(std::make_unique<ResumedInstall>());
  scenarios.push_back(std::make_unique<Trial>());
  scenarios.push_back(std::make_unique<Confirm>());
  scenarios.push_back(std::make_unique<RollBackOfTrial>());
  scenarios.push_back(std::make_unique<RollBackByOperator>());
  scenarios.push_back(std::make_unique<CrashReport>());
  scenarios.push_back(std::make_unique<ConfigurationChange>());
  scenarios.push_back(std::make_unique<Put>(false));
  scenarios.push_back(std::make_unique<Put>(true));
  return scenarios;
}

}  // namespace mqboard::port::sim
