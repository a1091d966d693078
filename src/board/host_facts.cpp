#include "board/host_facts.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "board/board_clock.hpp"
#include "core/base/bytes.hpp"

namespace mqboard::board {

namespace asio = boost::asio;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
File open_text(const char* path) { return {std::fopen(path, "re"), std::fclose}; }

std::string to_text(const sockaddr* address) {
  char text[INET_ADDRSTRLEN] = "";
  if (address != nullptr && address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  }
  return text;
}

// Interface and gateway of the default route, from /proc/net/route.
struct DefaultRoute {
  std::string interface, gateway;
};
DefaultRoute default_route() {
  DefaultRoute route;
  const File file = open_text("/proc/net/route");
  char line[256];
  while (file && std::fgets(line, sizeof line, file.get())) {
    char name[IFNAMSIZ] = "";
    unsigned destination = 0, gateway = 0;
    if (std::sscanf(line, "%15s %x %x", name, &destination, &gateway) != 3 || destination != 0) continue;
    in_addr address{};
    address.s_addr = gateway;
    char text[INET_ADDRSTRLEN] = "";
    ::inet_ntop(AF_INET, &address, text, sizeof text);
    return {name, text};
  }
  return route;
}

std::string first_nameserver() {
  const File file = open_text("/etc/resolv.conf");
  char line[256];
  while (file && std::fgets(line, sizeof line, file.get())) {
    char address[128] = "";
    if (std::sscanf(line, "nameserver %127s", address) == 1) return address;
  }
  return {};
}

python::ByteString mac_of(const ifaddrs* all, const std::string& interface) {
  for (const ifaddrs* each = all; each; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_PACKET || interface != each->ifa_name)
      continue;
    sockaddr_ll link{};
    std::memcpy(&link, each->ifa_addr, sizeof link);
    return {link.sll_addr, link.sll_addr + std::min<std::size_t>(link.sll_halen, sizeof link.sll_addr)};
  }
  return {};
}

}  // namespace

bool BoardClock::host_known() const {
  timex state{};
  return ::adjtimex(&state) != TIME_ERROR && host_.utc() > kProgramWritten;
}

bool BoardClock::known() const { return set_ || host_known(); }

mqtt::CertificateTime BoardClock::judged_by(Nanos utc, bool known) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(utc);
  return {.now = std::chrono::sys_seconds(std::max(now, kProgramWritten)), .known = known};
}

mqtt::CertificateTime BoardClock::certificate_time() const { return judged_by(utc(), known()); }

mqtt::CertificateTime BoardClock::host_certificate_time() const {
  return judged_by(host_.utc(), host_known());
}

std::optional<log::WallClock> TimeOfStart::seen(const BoardClock& clock,
                                                std::chrono::milliseconds since_boot) {
  using std::chrono::milliseconds;
  if (!clock.plausible()) return std::nullopt;
  constexpr milliseconds kDay = std::chrono::days{1};
  const milliseconds time_of_day = std::chrono::duration_cast<milliseconds>(clock.utc()) % kDay;
  const std::int64_t boot_ms = (time_of_day - since_boot).count();
  // Both were cut to milliseconds: a difference of one says nothing, and would have times run backwards.
  if (std::abs(boot_ms - last_ms_) > 1) last_ms_ = boot_ms;
  return log::WallClock{last_ms_};
}

NetworkFacts network_facts() {
  NetworkFacts facts;
  const DefaultRoute route = default_route();
  ifaddrs* found = nullptr;
  if (::getifaddrs(&found) != 0) return facts;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(found, ::freeifaddrs);
  for (const ifaddrs* each = all.get(); each; each = each->ifa_next) {
    const bool usable = each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET &&
                        (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (!usable) continue;
    const bool preferred = route.interface == each->ifa_name;
    if (facts.up && !preferred) continue;
    facts.up = true;
    facts.interface = each->ifa_name;
    facts.address = to_text(each->ifa_addr);
    facts.netmask = to_text(each->ifa_netmask);
    if (preferred) break;
  }
  if (facts.interface == route.interface) facts.gateway = route.gateway;
  facts.mac = mac_of(all.get(), facts.interface);
  facts.nameserver = first_nameserver();
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) == 0) facts.hostname = name;
  return facts;
}

std::uint64_t cpu_hz() {
  if (const File file = open_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")) {
    unsigned long long khz = 0;
    if (std::fscanf(file.get(), "%llu", &khz) == 1) return khz * 1000;
  }
  const File file = open_text("/proc/cpuinfo");
  char line[512];
  while (file && std::fgets(line, sizeof line, file.get())) {
    double mhz = 0;
    if (std::sscanf(line, "cpu MHz : %lf", &mhz) == 1) return static_cast<std::uint64_t>(mhz * 1e6);
  }
  return 0;
}

namespace {

// NTP's time stamps: seconds since 1900 and a fraction, 32 bits each.
constexpr std::int64_t kFrom1900To1970_s = 2'208'988'800;

std::int64_t read_stamp_us(Bytes packet, std::size_t at) {
  Reader reader(packet.subspan(at, 8));
  const std::int64_t seconds = reader.u32();
  const std::uint64_t fraction = reader.u32();
  // Era 1 begins in 2036 with a clear top bit.
  const std::int64_t since_1900 = seconds < 0x8000'0000LL ? seconds + 0x1'0000'0000LL : seconds;
  return (since_1900 - kFrom1900To1970_s) * 1'000'000 +
         static_cast<std::int64_t>((fraction * 1'000'000) >> 32);
}

struct Exchange {
  std::array<std::uint8_t, 48> reply{};
  std::int64_t sent_us = 0, received_us = 0;
};

// Sends one request whose transmit stamp is random: only who received it can answer it.
asio::awaitable<std::expected<Exchange, int>> exchange(asio::ip::udp::endpoint server,
                                                       std::function<std::int64_t()> utc_us) {
  asio::ip::udp::socket socket(co_await asio::this_coro::executor);
  boost::system::error_code error;
  socket.open(server.protocol(), error);
  if (!error) socket.connect(server, error);
  if (error) co_return std::unexpected(error.value());
  std::array<std::uint8_t, 48> request{};
  request[0] = 0b00'100'011;  // version 4, client
  std::random_device random;
  for (std::size_t i = 40; i < 48; ++i) request[i] = static_cast<std::uint8_t>(random());
  Exchange done;
  done.sent_us = utc_us();
  if (auto [failed, count] = co_await socket.async_send(asio::buffer(request), kAwait); failed) {
    co_return std::unexpected(failed.value());
  }
  while (true) {
    auto [failed, count] = co_await socket.async_receive(asio::buffer(done.reply), kAwait);
    if (failed) co_return std::unexpected(failed.value());
    done.received_us = utc_us();
    const bool ours = std::equal(request.begin() + 40, request.end(), done.reply.begin() + 24);
    if (count == done.reply.size() && ours) co_return done;
  }
}

}  // namespace

asio::awaitable<std::expected<std::int64_t, int>> query_ntp(std::string server,
                                                            std::function<std::int64_t()> utc_us) {
  using namespace asio::experimental::awaitable_operators;
  std::string service = "123";
  if (const std::size_t colon = server.rfind(':'); colon != std::string::npos && server.find(':') == colon) {
    service = server.substr(colon + 1);
    server.resize(colon);
  }
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::udp::resolver resolver(executor);
  asio::steady_timer timeout(executor, std::chrono::seconds(2));
  auto resolved = co_await (resolver.async_resolve(server, service, kAwait) || timeout.async_wait(kAwait));
  if (resolved.index() == 1) co_return std::unexpected(ETIMEDOUT);
  const auto& [unresolved, addresses] = std::get<0>(resolved);
  if (unresolved || addresses.empty()) co_return std::unexpected(EHOSTUNREACH);
  auto answered = co_await (exchange(addresses.begin()->endpoint(), utc_us) || timeout.async_wait(kAwait));
  if (answered.index() == 1) co_return std::unexpected(ETIMEDOUT);
  const auto& done = std::get<0>(answered);
  if (!done) co_return std::unexpected(done.error());
  const std::uint8_t stratum = done->reply[1];
  if (stratum == 0 || stratum > 15)
    co_return std::unexpected(EPROTO);  // "kiss of death", or not synchronised
  const std::int64_t server_received_us = read_stamp_us(done->reply, 32);
  const std::int64_t server_sent_us = read_stamp_us(done->reply, 40);
  co_return ((server_received_us - done->sent_us) + (server_sent_us - done->received_us)) / 2;
}

std::size_t resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  unsigned long total = 0, resident = 0;
  if (file != nullptr) {
    if (std::fscanf(file, "%lu %lu", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace mqboard::board
