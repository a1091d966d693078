// Arbitrary topics and payloads against the v1 machines: the board's assembler and put receiver, the client's
// collector. Checked: at most one reply per message, streams in order, verdicts that name existing streams.
#include <cstdlib>

#include "core/command/v1.hpp"
#include "core/command/v1_client.hpp"

namespace {

using namespace mqboard;
using namespace mqboard::command;

void require(bool condition) {
  if (!condition) std::abort();
}

class Sink final : public TransferSink {
 public:
  Status write(Bytes data) override {
    bytes += data.size();
    return bytes > 100'000 ? file_status(FsError::no_space, "x") : Status{};
  }
  Status commit() override { return {}; }
  void abort() override {}
  std::size_t bytes = 0;
};

void serve(v1::RequestAssembler& requests, std::string_view topic_text, Bytes payload, std::uint8_t flags,
           TimePoint now) {
  const auto topic = parse_request_topic("a/b", topic_text);
  if (!topic) return;
  const Topic again = topic->has_tail ? request_topic("a/b", topic->command, topic->id, topic->tail)
                                      : request_topic("a/b", topic->command, topic->id);
  require(again.truncated() || again.view() == topic_text);
  const auto admission = requests.admit(
      {.topic = *topic, .payload = payload, .retained = (flags & 1) != 0, .dup = (flags & 2) != 0}, now);
  require(admission.stream < v1::RequestAssembler::kMaxStreams);
  if (admission.verdict == v1::RequestAssembler::Verdict::refuse) require(!admission.why.empty());
  if (admission.verdict == v1::RequestAssembler::Verdict::begin) require(admission.header.sequence == 0);
  if (admission.verdict != v1::RequestAssembler::Verdict::begin &&
      admission.verdict != v1::RequestAssembler::Verdict::more)
    return;
  require(requests.id(admission.stream) == topic->id);
  Sink sink;
  v1::PutReceiver receiver(sink);
  const auto step = receiver.message(admission);
  if (step.finished) requests.finish(admission.stream, step.reply);
  if (!step.status.ok()) requests.fail(admission.stream);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader script({data, size});
  v1::RequestAssembler requests;
  v1::ReplyCollector collector(size % 2 == 0 ? v1::ReplyCollector::Expect::output
                                             : v1::ReplyCollector::Expect::acknowledgements);
  v1::PutSender sender(size * 1000, {.window = static_cast<std::uint32_t>(size % 40)});
  TimePoint now{};
  static constexpr std::string_view kStart = "a/b/mqb/cmd/";
  while (!script.failed() && !script.at_end()) {
    const std::uint8_t flags = script.u8();
    now += Millis(script.u8() * 300);
    const Bytes tail = script.take(script.u8() % 64);
    const Bytes payload = script.take(script.u8() % 32);
    Topic topic;
    if ((flags & 4) == 0) topic.append(kStart);
    topic.append(as_text(tail));
    serve(requests, topic, payload, flags, now);
    while (sender.next()) {
    }
    const auto event = collector.reply((flags & 8) != 0 ? ReplyKind::err : ReplyKind::out, payload);
    if (event.kind == v1::ReplyCollector::Kind::acknowledged) sender.acknowledged(event.sequence);
    static_cast<void>(parse_reply_topic("a/b", as_text(tail)));
  }
  return 0;
}
