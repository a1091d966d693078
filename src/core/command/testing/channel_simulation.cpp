#include "core/command/testing/channel_simulation.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "core/command/channel_table.hpp"

namespace mqboard::command::testing {
namespace {

using Rng = std::mt19937_64;
using Buffer = std::vector<std::uint8_t>;
using Moment = std::pair<TimePoint, std::uint64_t>;  // when, and an order among equals

constexpr Millis kStall{4 * 3'600'000};

std::uint64_t pick(Rng& rng, std::uint64_t low, std::uint64_t high) { return low + rng() % (high - low + 1); }
bool chance(Rng& rng, double probability) { return static_cast<double>(rng() >> 11) * 0x1p-53 < probability; }

std::uint8_t byte_at(std::uint64_t salt, std::uint64_t offset) {
  std::uint64_t word = (offset >> 3) + salt * 0x9E3779B97F4A7C15u;
  word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
  word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
  return static_cast<std::uint8_t>(word >> (8 * (offset & 7)));
}

// A stream of known content that notices reads it must not see.
class PatternSource final : public ByteSource {
 public:
  void reset(Buffer head, std::uint64_t salt, std::uint64_t body_offset) {
    head_ = std::move(head);
    salt_ = salt;
    body_offset_ = body_offset;
    released_ = 0;
  }
  bool read(std::uint64_t offset, MutableBytes into) override {
    misused = misused || offset < released_;
    for (std::size_t i = 0; i < into.size(); ++i) {
      const std::uint64_t place = offset + i;
      into[i] = place < head_.size() ? head_[static_cast<std::size_t>(place)]
                                     : byte_at(salt_, place - head_.size() + body_offset_);
    }
    return true;
  }
  void release(std::uint64_t offset) override { released_ = offset; }
  [[nodiscard]] std::size_t head_bytes() const { return head_.size(); }

  bool misused = false;

 private:
  Buffer head_;
  std::uint64_t salt_ = 0;
  std::uint64_t body_offset_ = 0;
  std::uint64_t released_ = 0;
};

// One direction of the broker.
class Link {
 public:
  struct Packet {
    std::string session;
    Buffer bytes;
  };
  double loss = 0;
  double repeat = 0;
  double reorder = 0;
  std::uint64_t delay_ms = 0;
  TimePoint down_until{};

  void send(Rng& rng, const std::string& session, Bytes bytes, TimePoint now) {
    ++frames;
    if (const auto frame = decode_frame(bytes)) data_bytes += frame->data.size();
    const int copies = chance(rng, loss) || now < down_until ? 0 : chance(rng, repeat) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      TimePoint at = std::max(now + Millis(static_cast<Millis::rep>(delay_ms)), last_);
      if (chance(rng, reorder) || i == 1)
        at += Millis(static_cast<Millis::rep>(pick(rng, 0, 3 * delay_ms + 50)));
      else
        last_ = at;
      packets_.emplace(Moment{at, ++order_}, Packet{session, Buffer(bytes.begin(), bytes.end())});
    }
  }
  void cut(TimePoint until) {
    packets_.clear();
    down_until = until;
  }
  [[nodiscard]] TimePoint next() const { return packets_.empty() ? kNever : packets_.begin()->first.first; }
  Packet take() {
    Packet packet = std::move(packets_.begin()->second);
    packets_.erase(packets_.begin());
    return packet;
  }

  std::uint64_t frames = 0;
  std::uint64_t data_bytes = 0;

 private:
  std::map<Moment, Packet> packets_;
  std::uint64_t order_ = 0;
  TimePoint last_{};
};

ChannelConfig random_config(Rng& rng) {
  ChannelConfig config;
  config.window_bytes = static_cast<std::uint32_t>(pick(rng, 512, 1u << pick(rng, 10, 17)));
  config.largest_receive = static_cast<std::uint32_t>(pick(rng, 256, 16384));
  config.largest_send = static_cast<std::uint32_t>(pick(rng, 256, 16384));
  config.initial_credit = static_cast<std::uint32_t>(pick(rng, 1, 16384));
  config.frames_in_flight = static_cast<std::uint16_t>(pick(rng, 1, 130));
  config.flight.least = static_cast<std::uint32_t>(pick(rng, 1, 16384));
  config.flight.first = static_cast<std::uint32_t>(pick(rng, 1, 65536));
  config.flight.most = config.flight.first + static_cast<std::uint32_t>(pick(rng, 16384, 1u << 20));
  config.ack_delay = Millis(static_cast<Millis::rep>(pick(rng, 0, 100)));
  return config;
}

// The parts both scenarios share: time, network, the board's table, driving.
class World {
 public:
  World(std::uint64_t seed, Millis patience) : rng(seed) {
    const double badness = chance(rng, 0.25) ? 0 : 0.3;
    for (Link* link : {&to_board, &to_client}) {
      link->loss = static_cast<double>(pick(rng, 0, 100)) / 100 * badness;
      link->repeat = static_cast<double>(pick(rng, 0, 100)) / 100 * badness;
      link->reorder = chance(rng, 0.5) ? 0 : static_cast<double>(pick(rng, 0, 100)) / 100 * badness;
      link->delay_ms = pick(rng, 0, chance(rng, 0.2) ? 800 : 60);
    }
    calm_ = badness == 0;
    outages_ = calm_ ? 0 : pick(rng, 0, 4);
    board_config = random_config(rng);
    client_config = random_config(rng);
    board_config.peer_timeout = client_config.peer_timeout = patience;
    board_config.linger = patience;
    for (std::size_t i = 0; i < ChannelTable::kMaxChannels; ++i) sources_[i] = &board_sources[i];
    boot_board();
  }
  virtual ~World() = default;

  SimulationResult run() {
    while (!done() && result.failure.empty()) {
      pump();
      const TimePoint next =
          std::min({to_board.next(), to_client.next(), wake_, deadline(), outage_at_, chores()});
      if (next == kNever || now - TimePoint{} > kStall) {
        fail("stalled");
        break;
      }
      now = std::max(now, next);
      if (now >= outage_at_) outage();
      if (now >= wake_) wake_ = kNever;
      while (to_board.next() <= now && result.failure.empty()) board_receives(to_board.take());
      while (to_client.next() <= now && result.failure.empty()) client_receives(to_client.take());
      chore();
    }
    for (const PatternSource& source : board_sources)
      if (source.misused) fail("read what was released");
    result.frames = to_board.frames + to_client.frames;
    result.virtual_ms = (now - TimePoint{}).count();
    return result;
  }

 protected:
  virtual bool done() = 0;
  virtual void board_receives(Link::Packet packet) = 0;
  virtual void client_receives(Link::Packet packet) = 0;
  virtual std::size_t client_poll(MutableBytes into) = 0;
  virtual std::string client_session() = 0;
  virtual TimePoint client_deadline() = 0;
  virtual void client_reconnected() = 0;
  virtual TimePoint chores() { return kNever; }
  virtual void chore() {}

  void fail(const std::string& why) {
    if (result.failure.empty()) result.failure = why;
  }
  void boot_board() {
    table = std::make_unique<ChannelTable>(static_cast<std::uint32_t>(rng() | 1), board_config, sources_);
  }
  TimePoint later(std::uint64_t most_ms) {
    return now + Millis(static_cast<Millis::rep>(pick(rng, 0, most_ms)));
  }

  Rng rng;
  TimePoint now{};
  Link to_board;
  Link to_client;
  ChannelConfig board_config;
  ChannelConfig client_config;
  std::array<PatternSource, ChannelTable::kMaxChannels> board_sources;
  std::unique_ptr<ChannelTable> table;
  SimulationResult result;
  bool calm_ = false;

 private:
  void pump() {
    Buffer frame(pick(rng, 400, 20'000));
    std::uint64_t room = pick(rng, 1, 80);
    for (; room > 0; --room) {
      const std::size_t size = client_poll(frame);
      if (size == 0) break;
      to_board.send(rng, client_session(), Bytes(frame).first(size), now);
    }
    const bool client_waits = room == 0;
    for (room = pick(rng, 1, 80); room > 0; --room) {
      const auto out = table->poll(frame, now);
      if (out.bytes == 0) break;
      to_client.send(rng, std::string(table->session(out.slot)), Bytes(frame).first(out.bytes), now);
    }
    if (client_waits || room == 0) wake_ = std::min(wake_, now + Millis(2));
    if (outages_ != 0 && outage_at_ == kNever) outage_at_ = later(20'000) + Millis(1);
  }
  TimePoint deadline() { return std::max(now + Millis(1), std::min(client_deadline(), table->deadline())); }
  void outage() {
    --outages_;
    outage_at_ = kNever;
    const TimePoint until = later(20'000);
    to_board.cut(until);
    to_client.cut(until);
    back_.push_back(until);
    now = std::max(now, until);  // nothing else happens meanwhile
    if (chance(rng, 0.7)) client_reconnected();
    if (chance(rng, 0.7)) table->reconnected();
  }

  ChannelTable::Sources sources_{};
  std::uint64_t outages_ = 0;
  TimePoint outage_at_ = kNever;
  TimePoint wake_ = kNever;
  std::vector<TimePoint> back_;
};

// ---- one channel, both ways

class Duplex final : public World {
 public:
  explicit Duplex(std::uint64_t seed) : World(seed, kStall) {
    client_total_ = chance(rng, 0.3) ? pick(rng, 1, 50) : pick(rng, 1, 150'000);
    board_total_ = chance(rng, 0.3) ? pick(rng, 0, 50) : pick(rng, 0, 150'000);
    finishes_early_ = chance(rng, 0.1);
    cancels_at_ = chance(rng, 0.1) ? later(3'000) : kNever;
    client_source_.reset({}, 1, 0);
    for (PatternSource& source : board_sources) source.reset({}, 2, 0);
    client_ = std::make_unique<Channel>(Channel::Identity{.number = 7, .local_epoch = 0xC0FFEE},
                                        client_config, client_source_, now);
  }

  SimulationResult finish() {
    SimulationResult outcome = run();
    if (!outcome.failure.empty()) return outcome;
    if (client_source_.misused) outcome.failure = "read what was released";
    if (opened_ != 1) outcome.failure = "opened " + std::to_string(opened_) + " times";
    if (client_->status() != status_)
      outcome.failure = "wrong status: " + std::string(client_->status().text);
    const bool whole = !finishes_early_ && !cancelled_;
    if (!aborted_ && at_client_ != board_supplied_) outcome.failure = "the client misses bytes";
    if (whole && at_board_ != client_total_) outcome.failure = "the board misses bytes";
    if (!outcome.failure.empty()) return outcome;
    outcome.bytes_delivered = at_client_ + at_board_;
    outcome.bytes_sent_again = client_->bytes_sent_again();
    const bool prompt = to_board.delay_ms + to_client.delay_ms < 900;  // an answer precedes the first probe
    const bool granted = client_config.initial_credit <= board_config.window_bytes;
    if (calm_ && prompt && granted && outcome.bytes_sent_again != 0)
      outcome.failure = "bytes sent again without need";
    return outcome;
  }

 protected:
  bool done() override { return client_->closed(); }

  void board_receives(Link::Packet packet) override {
    const auto arrival = table->receive(packet.session, packet.bytes, now);
    if (arrival.kind == ChannelTable::Kind::respond)
      return to_client.send(rng, packet.session, arrival.response, now);
    if (arrival.kind == ChannelTable::Kind::nothing) return;
    if (arrival.kind == ChannelTable::Kind::opened) {
      ++opened_;
      slot_ = arrival.slot;
    }
    Channel* channel = table->channel(arrival.slot);
    at_board_ = check(arrival.received.data, 1, at_board_);
    board_unconsumed_ += arrival.received.data.size();
    if (board_unconsumed_ > board_config.window_bytes) fail("the client overran the board's window");
    board_ended_ = board_ended_ || arrival.received.ended;
    if (arrival.received.cancelled && channel->open() && !finished_ && !std::exchange(cancelled_, true)) {
      status_ = Status(StatusCode::cancelled, "as you wish");
      aborted_ = chance(rng, 0.5);
      if (aborted_)
        channel->abort(status_);
      else
        channel->finish(status_);
    }
  }

  void client_receives(Link::Packet packet) override {
    const auto frame = decode_frame(packet.bytes);
    if (!frame) return fail("the board sent what cannot be decoded");
    const auto received = client_->receive(*frame, now);
    at_client_ = check(received.data, 2, at_client_);
    client_unconsumed_ += received.data.size();
    if (client_unconsumed_ > client_config.window_bytes) fail("the board overran the client's window");
  }

  std::size_t client_poll(MutableBytes into) override { return client_->poll(into, now); }
  std::string client_session() override { return "session1"; }
  TimePoint client_deadline() override { return client_->deadline(); }
  void client_reconnected() override { client_->reconnected(); }

  TimePoint chores() override { return chore_at_; }
  void chore() override {
    if (now < chore_at_) return;
    chore_at_ = later(200) + Millis(1);
    if (client_->open() && client_supplied_ < client_total_) {
      client_supplied_ += pick(rng, 1, std::min<std::uint64_t>(client_total_ - client_supplied_, 40'000));
      client_->supply(client_supplied_);
      if (client_supplied_ == client_total_) client_->end();
    }
    consume(*client_, client_unconsumed_);
    if (now >= cancels_at_) client_->cancel();
    Channel* channel = slot_ ? table->channel(*slot_) : nullptr;
    if (channel == nullptr || !channel->open()) return;
    consume(*channel, board_unconsumed_);
    if (cancelled_ || finished_) return;
    if (board_supplied_ < board_total_) {
      board_supplied_ += pick(rng, 1, std::min<std::uint64_t>(board_total_ - board_supplied_, 40'000));
      channel->supply(board_supplied_);
    }
    const bool complete = board_ended_ && board_supplied_ == board_total_;
    if (complete || (finishes_early_ && chance(rng, 0.05))) {
      finished_ = true;
      channel->finish(status_);
    }
  }

 private:
  void consume(Channel& channel, std::uint64_t& unconsumed) {
    if (unconsumed == 0) return;
    const std::uint64_t bytes = pick(rng, 1, unconsumed);
    channel.consume(bytes);
    unconsumed -= bytes;
  }
  std::uint64_t check(Bytes data, std::uint64_t salt, std::uint64_t at) {
    for (const std::uint8_t byte : data)
      if (byte != byte_at(salt, at++)) fail("wrong byte");
    return at;
  }

  PatternSource client_source_;
  std::unique_ptr<Channel> client_;
  std::optional<ChannelTable::Slot> slot_;
  Status status_{StatusCode::ok, "all of it"};
  std::uint64_t client_total_ = 0, client_supplied_ = 0, at_client_ = 0, client_unconsumed_ = 0;
  std::uint64_t board_total_ = 0, board_supplied_ = 0, at_board_ = 0, board_unconsumed_ = 0;
  int opened_ = 0;
  bool board_ended_ = false, finishes_early_ = false, finished_ = false, cancelled_ = false, aborted_ = false;
  TimePoint cancels_at_ = kNever;
  TimePoint chore_at_{};
};

// ---- a transfer across restarts

// put: the opener asks ("p"), hears how much is on flash (8 bytes), sends the rest. get: it sends "g" and 8
// bytes of what it has, and receives the rest.
class Transfer final : public World {
 public:
  explicit Transfer(std::uint64_t seed) : World(seed, Millis(90'000)) {
    puts_ = chance(rng, 0.5);
    total_ = pick(rng, 0, 200'000);
    restarts_ = pick(rng, 0, 6);
    if (restarts_ != 0) restart_at_ = later(10'000);
    start_client();
  }

  SimulationResult finish() {
    SimulationResult outcome = run();
    if (outcome.failure.empty() && stored_ != total_) outcome.failure = "incomplete";
    outcome.bytes_delivered = stored_;
    const std::uint64_t carried = (puts_ ? to_board : to_client).data_bytes;
    outcome.bytes_sent_again = carried - std::min(carried, total_);
    // A restart costs what was under way, at most a window, and the few bytes of asking again.
    const std::uint64_t window =
        std::max<std::uint64_t>((puts_ ? board_config : client_config).window_bytes, 16'384);
    if (calm_ && outcome.bytes_sent_again > (outcome.restarts + 1) * (window + 100))
      outcome.failure = "a restart cost more than a window";
    return outcome;
  }

 protected:
  bool done() override { return complete_; }

  void board_receives(Link::Packet packet) override {
    const auto arrival = table->receive(packet.session, packet.bytes, now);
    if (arrival.kind == ChannelTable::Kind::respond)
      return to_client.send(rng, packet.session, arrival.response, now);
    if (arrival.kind == ChannelTable::Kind::nothing) return;
    Channel* channel = table->channel(arrival.slot);
    Served& served = served_[arrival.slot];
    if (arrival.kind == ChannelTable::Kind::opened) served = {};
    served.request.insert(served.request.end(), arrival.received.data.begin(), arrival.received.data.end());
    if (channel->open()) channel->consume(arrival.received.data.size());
    if (!served.running && channel->open()) begin(arrival.slot, *channel, served);
    if (served.running && puts_ && arrival.slot == writer_) store(served, *channel, arrival.received.ended);
  }

  void client_receives(Link::Packet packet) override {
    if (packet.session != session_) return;  // nobody subscribes to a dead process's topic
    const auto frame = decode_frame(packet.bytes);
    if (!frame) return fail("the board sent what cannot be decoded");
    if (frame->channel != client_->number()) {
      Buffer answer(128);
      const std::size_t size = answer_unknown(*frame, epoch_, answer);
      if (size != 0) to_board.send(rng, session_, Bytes(answer).first(size), now);
      return;
    }
    const auto received = client_->receive(*frame, now);
    client_->consume(received.data.size());
    if (puts_)
      hear_offset(received.data);
    else
      append(received.data);
    if (!received.closed) return;
    complete_ = client_->status().ok();
    if (!complete_) reopen_at_ = later(1'000) + Millis(1);
  }

  std::size_t client_poll(MutableBytes into) override { return client_->poll(into, now); }
  std::string client_session() override { return session_; }
  TimePoint client_deadline() override { return client_->deadline(); }
  void client_reconnected() override { client_->reconnected(); }

  TimePoint chores() override { return std::min(restart_at_, reopen_at_); }
  void chore() override {
    if (client_->closed() && !complete_ && reopen_at_ == kNever) reopen_at_ = later(1'000) + Millis(1);
    if (now >= reopen_at_) {
      reopen_at_ = kNever;
      open_channel();
    }
    if (now < restart_at_) return;
    restart_at_ = --restarts_ == 0 ? kNever : later(10'000) + Millis(1);
    ++result.restarts;
    if (chance(rng, 0.5)) {
      start_client();
      reopen_at_ = kNever;
    } else {
      boot_board();
      writer_.reset();
      if (chance(rng, 0.5)) client_->peer_restarted(now);
    }
  }

 private:
  struct Served {
    Buffer request;
    bool running = false;
  };

  void start_client() {
    session_ = std::string(make_request_id(rng()).view());
    epoch_ = static_cast<std::uint32_t>(rng() | 1);
    number_ = 0;
    open_channel();
  }
  void open_channel() {
    heard_.clear();
    Buffer request{static_cast<std::uint8_t>(puts_ ? 'p' : 'g')};
    if (!puts_) append_u64(request, stored_);
    const std::size_t bytes = request.size();
    source_.reset(std::move(request), 3, 0);
    client_ = std::make_unique<Channel>(Channel::Identity{.number = ++number_, .local_epoch = epoch_},
                                        client_config, source_, now);
    client_->supply(bytes);
    if (!puts_) client_->end();
  }
  static void append_u64(Buffer& to, std::uint64_t value) {
    std::uint8_t bytes[8];
    Writer(bytes).u64(value);
    to.insert(to.end(), bytes, bytes + 8);
  }
  void hear_offset(Bytes data) {
    const bool known = heard_.size() == 8;
    heard_.insert(heard_.end(), data.begin(), data.end());
    if (known || heard_.size() < 8 || !client_->open()) return;
    const std::uint64_t have = Reader(heard_).u64();
    source_.reset({'p'}, 3, have);
    client_->supply(1 + total_ - have);
    client_->end();
  }
  void append(Bytes data) {
    for (const std::uint8_t byte : data)
      if (byte != byte_at(3, stored_++)) fail("wrong byte");
    if (stored_ > total_) fail("too many bytes");
  }

  void begin(ChannelTable::Slot slot, Channel& channel, Served& served) {
    const bool get = !served.request.empty() && served.request[0] == 'g';
    if (served.request.size() < (get ? 9u : 1u)) return;
    served.running = true;
    if (get) {
      const std::uint64_t from = Reader(Bytes(served.request).subspan(1)).u64();
      board_sources[slot].reset({}, 3, from);
      channel.supply(total_ - from);
      return channel.finish({StatusCode::ok, ""});
    }
    if (writer_ && *writer_ != slot) {  // a new attempt takes over from one that may be dead
      Channel* older = table->channel(*writer_);
      if (older != nullptr) older->abort({StatusCode::cancelled, "taken over"});
    }
    writer_ = slot;
    Buffer head;
    append_u64(head, stored_);
    board_sources[slot].reset(std::move(head), 0, 0);
    channel.supply(8);
  }
  void store(Served& served, Channel& channel, bool ended) {
    append(Bytes(served.request).subspan(1));
    served.request.resize(1);
    if (ended && channel.open())
      channel.finish(stored_ == total_ ? Status{} : Status(StatusCode::integrity, "incomplete"));
  }

  bool puts_ = false;
  std::uint64_t total_ = 0;
  std::uint64_t stored_ = 0;  // on the board's flash, or in the client's file
  std::uint64_t restarts_ = 0;
  TimePoint restart_at_ = kNever;
  TimePoint reopen_at_ = kNever;
  std::string session_;
  std::uint32_t epoch_ = 0;
  std::uint32_t number_ = 0;
  PatternSource source_;
  std::unique_ptr<Channel> client_;
  Buffer heard_;
  std::array<Served, ChannelTable::kMaxChannels> served_;
  std::optional<ChannelTable::Slot> writer_;
  bool complete_ = false;
};

}  // namespace

SimulationResult simulate_duplex(std::uint64_t seed) { return Duplex(seed).finish(); }
SimulationResult simulate_transfer(std::uint64_t seed) { return Transfer(seed).finish(); }

}  // namespace mqboard::command::testing
