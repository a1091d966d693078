// A real mosquitto for end-to-end tests: its own folder, its own free port on 127.0.0.1, killed with the
// object.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace mqboard::mqtt::testing {

// A folder that is removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  void write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

// A port nobody listens on right now.
std::uint16_t free_port();

// Runs a shell command, expects it to succeed.
void shell(const std::string& command);

// A certification authority, a server certificate for localhost and 127.0.0.1, one for another host, and a
// client certificate, made on the spot: {ca,stranger,server,other,client}.{crt,key}, and locked.key with
// password "open".
class Certificates : public TemporaryFolder {
 public:
  Certificates();
  // Configuration lines of a TLS listener that uses them.
  static std::string listener(const std::string& server = "server");
};

class Mosquitto {
 public:
  // `config` follows "listener <port> 127.0.0.1"; %d in it stands for the folder. Returns when the broker
  // accepts.
  explicit Mosquitto(std::string config = "allow_anonymous true\n");
  // With files the configuration needs.
  Mosquitto(const TemporaryFolder& files, std::string config);
  ~Mosquitto();
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view scheme = "mqtt") const;

  void start();
  void terminate() { stop(15); }  // SIGTERM: writes its persistence
  void kill() { stop(9); }        // SIGKILL: does not

 private:
  void stop(int signal);

  TemporaryFolder folder_;
  std::string config_;
  std::uint16_t port_;
  pid_t pid_ = 0;
};

}  // namespace mqboard::mqtt::testing
