// A firmware that does what a test tells it: reports its start on descriptor 101, then obeys lines read from
// descriptor 100, answering each with a line. Trailing bytes behind its executable make it another version.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/boot_client.hpp"

namespace mqboard {
namespace {

constexpr int kCommands = 100;
constexpr int kReports = 101;

port::BootClient* client_for_dump = nullptr;

void report(const std::string& line) {
  const std::string whole = line + "\n";
  if (::write(kReports, whole.data(), whole.size()) < 0) ::_exit(99);
}

bool read_line(std::string& line) {
  line.clear();
  char c = 0;
  while (::read(kCommands, &c, 1) == 1) {
    if (c == '\n') return true;
    line += c;
  }
  return false;
}

extern "C" void dump(int) {
  client_for_dump->rtc().crash_note().append("[backtrace]\n#0 waiting for a command\n");
}

std::string describe_start(const port::BootClient& client, int argc, char** argv) {
  const boot::SystemRecord& system = client.system();
  std::ostringstream line;
  line << "boot=" << system.boot_count << " cause=" << name(system.cause)
       << " image=" << name(system.choice.image) << " kind=" << static_cast<int>(system.choice.kind)
       << " mode=" << name(system.choice.mode) << " failed=" << int{system.choice.failed_boots}
       << " version=" << system.choice.version.view() << " user=" << as_text(client.rtc().user().read())
       << " arguments=";
  for (int i = 1; i < argc; ++i) line << argv[i] << ',';
  return line.str();
}

std::string install(port::BootClient& client, const std::string& path) {
  port::TrustedKeys keys;
  if (!add_keys_from(*client.slot_files(), "keys", keys)) return "no keys";
  port::Sha256Hasher hasher;
  std::vector<std::uint8_t> scratch(65536);
  const boot::ImagePolicy policy{.product = *boot::Label::make("mqboard"),
                                 .hardware = client.system().hardware};
  boot::SlotInstaller installer(*client.slots(), policy, {hasher, keys, scratch});
  if (const auto begun = installer.begin(client.system().choice.image, {}); !begun) {
    return std::string(boot::name(begun.error().error));
  }
  port::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<std::uint8_t> piece(65536);
  for (ssize_t count = 0; (count = ::read(file.get(), piece.data(), piece.size())) > 0;) {
    if (const auto written = installer.write({piece.data(), static_cast<std::size_t>(count)}); !written) {
      return std::string(boot::name(written.error().error));
    }
  }
  const auto installed = installer.commit();
  return installed ? std::string("installed ") + std::string(name(*installed))
                   : std::string(boot::name(installed.error().error));
}

[[noreturn]] void reset(port::BootClient& client, std::istringstream& words) {
  std::string kind, mode, origin;
  long sleep_ms = 0;
  words >> kind >> mode >> origin >> sleep_ms;
  const auto request = kind == "soft"    ? boot::ResetRequest::soft
                       : kind == "sleep" ? boot::ResetRequest::deep_sleep
                                         : boot::ResetRequest::hard;
  const auto wanted = mode == "safe"     ? boot::ModeRequest::safe
                      : mode == "normal" ? boot::ModeRequest::normal
                                         : boot::ModeRequest::none;
  const auto who = origin == "operator" ? boot::ResetOrigin::operator_ : boot::ResetOrigin::application;
  ::_exit(client.prepare_reset(request, wanted, who, Millis{sleep_ms}));
}

std::string obey(port::BootClient& client, const std::string& line) {
  std::istringstream words(line);
  std::string verb, rest;
  words >> verb;
  if (verb == "reset") reset(client, words);
  std::getline(words >> std::ws, rest);
  if (verb == "exit") ::_exit(std::atoi(rest.c_str()));
  if (verb == "signal") {
    std::signal(std::atoi(rest.c_str()), SIG_DFL);  // a sanitizer may have its own idea
    std::raise(std::atoi(rest.c_str()));
    return "survived";
  }
  if (verb == "install") return install(client, rest);
  if (verb == "arm") client.arm_watchdog(Millis{std::atol(rest.c_str())});
  if (verb == "pat") client.pat();
  if (verb == "in_order" && !client.set_in_order()) return "failed";
  if (verb == "roll_back" && !client.roll_back()) return "failed";
  if (verb == "user") (void)client.rtc().user().write(as_bytes(rest));
  if (verb == "log") client.rtc().log().append(rest);
  return "ok";
}

int run(int argc, char** argv) {
  auto client = port::BootClient::connect({});
  if (!client) {
    std::cerr << client.error() << '\n';
    return 98;
  }
  client_for_dump = &*client;
  std::signal(SIGQUIT, dump);
  report(describe_start(*client, argc, argv));
  std::string line;
  while (read_line(line)) report(obey(*client, line));
  return 97;
}

}  // namespace
}  // namespace mqboard

int main(int argc, char** argv) { return mqboard::run(argc, argv); }
