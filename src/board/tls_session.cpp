#include "board/tls_session.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "core/base/crc32.hpp"

namespace mqboard::board {
namespace {

std::string content(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::array<std::uint8_t, 4> fingerprint(const MqttConfig& config) {
  std::string all = config.insecure ? "insecure" : "verified";
  const auto add = [&all](const std::string& part) { all.append(1, '\0').append(part); };
  for (const auto& server : config.servers) add(server);
  for (const auto& part : {config.ca_file, config.ca_path, config.certificate_file, config.key_file})
    add(part);
  add(config.server_name);
  if (!config.ca_file.empty()) add(content(config.ca_file));
  if (!config.certificate_file.empty()) add(content(config.certificate_file));
  std::array<std::uint8_t, 4> bytes{};
  Writer(bytes).u32(crc32(as_bytes(all)));
  return bytes;
}

}  // namespace

KeptTlsSession::KeptTlsSession(const boot::RtcArea& memory, const MqttConfig& config)
    : memory_(memory), fingerprint_(fingerprint(config)) {}

std::vector<std::uint8_t> KeptTlsSession::ticket() const {
  const Bytes kept = memory_.read();
  if (kept.size() < fingerprint_.size()) return {};
  if (!std::ranges::equal(kept.first(fingerprint_.size()), fingerprint_)) return {};
  const Bytes ticket = kept.subspan(fingerprint_.size());
  return {ticket.begin(), ticket.end()};
}

void KeptTlsSession::keep(const std::vector<std::uint8_t>& ticket) {
  if (ticket.empty()) return;
  std::vector<std::uint8_t> kept(fingerprint_.begin(), fingerprint_.end());
  kept.insert(kept.end(), ticket.begin(), ticket.end());
  memory_.write(kept);
}

}  // namespace mqboard::board
