// The operations a power cut must not hurt, each with the board it starts from and what must hold after it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/boot/crash_store.hpp"
#include "port/sim/boot_rig.hpp"

namespace mqboard::port::sim {

// Everything simulations share: keys, the images, contents. Built once.
struct Stage {
  Stage();
  [[nodiscard]] const std::vector<std::uint8_t>& image(const std::string& version) const {
    return images.at(version);
  }
  Bench bench;
  std::map<std::string, std::vector<std::uint8_t>> images;  // by version
};

// A board with its power on. Its flash holds the slot directory and, in `flash`, the application's files.
struct World {
  World(Stage& shared, const FaultyFlash& medium) : stage(shared), flash(medium), rig(flash, shared.bench) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Stage& stage;
  FaultyFlash flash;
  Rig rig;
};

// What must hold when the board is up again.
struct Expected {
  std::set<std::string> versions;                      // the image that runs is one of these
  std::map<std::string, std::set<std::string>> files;  // each file has one of these contents
  std::set<std::string> reports;                       // details of crash reports that must be there …
  std::set<std::string> perhaps;                       // … and of those that may
};

class Scenario {
 public:
  virtual ~Scenario() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // Returns the image that runs then.
  virtual boot::BootImage prepare(World& world) const = 0;
  // The operation. True when it reported success: then its effect must be there.
  virtual bool act(World& world, boot::BootImage running) const = 0;
  [[nodiscard]] virtual Expected expected(bool done) const = 0;
};

// install (and resumed), trial, confirm, rollback (failed trial, operator), crash report, configuration
// change, put (and resumed).
std::vector<std::unique_ptr<Scenario>> all_scenarios();

// A formatted medium with the directories of a board.
FaultyFlash formatted_medium();

}  // namespace mqboard::port::sim
