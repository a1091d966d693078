#include "mqtt/testing/mosquitto.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>

extern char** environ;

namespace mqboard::mqtt::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool accepts(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

// Only then are all its listeners open.
bool says_running(const std::string& log) {
  std::ifstream file(log);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.find(" running\n") != std::string::npos;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "mqboard-mqtt-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
  std::filesystem::permissions(path_,
                               std::filesystem::perms::others_exec | std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TemporaryFolder::write(std::string_view name, std::string_view content) const {
  std::ofstream(path_ / name, std::ios::binary) << content;
}

// Below the ports the kernel lends to outgoing connections, so that it stays free while its broker restarts.
std::uint16_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<std::uint16_t> ports(10'000, 32'000);
  while (true) {
    const std::uint16_t port = ports(random);
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(port);
    const bool ours = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    if (ours) return port;
  }
}

void shell(const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0) << command; }

Certificates::Certificates() {
  const std::string at = "cd " + path().string() + " && ";
  const std::string quiet = " 2>/dev/null";
  const std::string key = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=";
  for (const std::string name : {"ca", "stranger"}) {
    shell(at + "openssl req -x509 -days 2" + key + name + " -keyout " + name + ".key -out " + name + ".crt" +
          quiet);
  }
  write("server.ext", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  write("other.ext", "subjectAltName=DNS:other.example\n");
  write("client.ext", "extendedKeyUsage=clientAuth\n");
  for (const std::string name : {"server", "other", "client"}) {
    shell(at + "openssl req" + key + name + " -keyout " + name + ".key -out " + name + ".csr" + quiet);
    shell(at + "openssl x509 -req -in " + name +
          ".csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile " + name + ".ext -out " + name +
          ".crt" + quiet);
  }
  shell(at + "openssl ec -aes128 -passout pass:open -in client.key -out locked.key" + quiet);
}

std::string Certificates::listener(const std::string& server) {
  return "allow_anonymous true\ncafile %d/ca.crt\ncertfile %d/" + server + ".crt\nkeyfile %d/" + server +
         ".key\n";
}

Mosquitto::Mosquitto(std::string config) : config_(std::move(config)), port_(free_port()) {
  replace_all(config_, "%d", folder_.path().string());
  start();
}

Mosquitto::Mosquitto(const TemporaryFolder& files, std::string config)
    : config_(std::move(config)), port_(free_port()) {
  replace_all(config_, "%d", files.path().string());
  start();
}

Mosquitto::~Mosquitto() {
  if (pid_ != 0) kill();
}

std::string Mosquitto::url(std::string_view scheme) const {
  return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_);
}

void Mosquitto::start() {
  folder_.write("mosquitto.conf", "user root\nlistener " + std::to_string(port_) + " 127.0.0.1\n" + config_);
  const std::string conf = folder_ / "mosquitto.conf";
  const std::string log = folder_ / "log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const char* const arguments[] = {"mosquitto", "-c", conf.c_str(), nullptr};
  const char* const path = "/usr/sbin/mosquitto";
  ASSERT_EQ(::posix_spawn(&pid_, path, &actions, nullptr, const_cast<char* const*>(arguments), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!says_running(log) || !accepts(port_)) {
    ASSERT_EQ(::waitpid(pid_, nullptr, WNOHANG), 0) << "mosquitto ended: " << std::ifstream(log).rdbuf();
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "mosquitto does not listen";
    ::poll(nullptr, 0, 2);
  }
}

void Mosquitto::stop(int signal) {
  ::kill(pid_, signal);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace mqboard::mqtt::testing
