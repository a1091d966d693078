#include "board/v1_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "board/log_service.hpp"
#include "board/testing.hpp"
#include "port/linux/flash.hpp"

namespace mqboard::board {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::string_literals;

using python::Outcome;

class FakeInterpreter final : public Interpreter {
 public:
  struct Job {
    std::string source;
    std::shared_ptr<python::JobSink> sink;
    void print(std::string_view text) const { sink->output(as_bytes(text)); }
    void end(Outcome::Status status = Outcome::Status::ok, std::string text = "") const {
      Outcome outcome;
      outcome.status = status;
      outcome.text = std::move(text);
      sink->done(std::move(outcome));
    }
  };
  python::JobId exec(std::string source, std::string, std::shared_ptr<python::JobSink> sink) override {
    return eval(std::move(source), std::move(sink));
  }
  python::JobId complete(std::string, std::shared_ptr<python::JobSink>) override {
    return python::JobId::none;
  }
  bool interrupt(python::JobId) override { return false; }
  python::JobId eval(std::string source, std::shared_ptr<python::JobSink> sink) override {
    jobs.push_back({std::move(source), std::move(sink)});
    return static_cast<python::JobId>(jobs.size());
  }
  void interrupt() override { ++interrupts; }

  std::vector<Job> jobs;
  int interrupts = 0;
};

class NoHasher final : public Hasher {
 public:
  void reset() override {}
  void update(Bytes) override {}
  Sha256 digest() override { return {}; }
};

class FakeUpdate final : public UpdateSink {
 public:
  explicit FakeUpdate(std::string& log) : log_(log) {}
  command::Status write(Bytes data) override { return log_ += as_text(data), command::Status{}; }
  command::Status commit() override { return log_ += "|commit", command::Status{}; }
  void abort() override { log_ += "|abort"; }

 private:
  std::string& log_;
};

class FakeUpdates final : public Updates {
 public:
  Result<std::unique_ptr<UpdateSink>, command::Status> open(const Sha256&, UpdateOperator by) override {
    installer = std::move(by);
    return std::make_unique<FakeUpdate>(log);
  }
  command::Status confirm() override { return {}; }
  command::Status roll_back() override { return {}; }
  std::string status_json() override { return "{}"; }
  std::string log;
  UpdateOperator installer;
};

class V1 : public ::testing::Test {
 protected:
  V1() : service_(std::make_unique<V1Service>(environment())) {}
  ~V1() override { std::filesystem::remove_all(directory_); }

  V1Service::Environment environment() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mqb-v1-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    files_ = std::move(*port::LinuxFlash::open_root(directory_));
    services_.emplace(
        Services{.files = *files_,
                 .hasher = hasher_,
                 .interpreter = interpreter_,
                 .log = log_,
                 .updates = &updates_,
                 .report = [this](int, std::string_view text) { reports_.emplace_back(text); }});
    return {.prefix = "p/q",
            .outbox = outbox_,
            .services = *services_,
            .post = [](std::function<void()> function) { function(); },
            .idle = [this] { ++idle_; }};
  }

  void send(std::string command_id_tail, std::string payload, bool retained = false, bool duplicate = false) {
    const std::string topic = "p/q/mqb/cmd/" + command_id_tail;
    service_->handle({topic, as_bytes(payload), retained, duplicate}, now_);
  }
  std::vector<std::string> replies() {
    std::vector<std::string> found;
    for (const auto& sent : outbox_.take()) {
      EXPECT_THAT(sent.topic, StartsWith("p/q/mqb/reply/"));
      EXPECT_FALSE(sent.retain);
      found.push_back(sent.topic.substr(14) + " " + sent.payload);
    }
    return found;
  }
  void tick() {
    now_ += V1Service::kLiveAfter;
    service_->tick(now_);
  }
  std::string file(const std::string& name) {
    std::ifstream in(std::filesystem::path(directory_) / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void store(const std::string& name, const std::string& content) {
    std::ofstream(std::filesystem::path(directory_) / name) << content;
  }
  std::size_t files() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_), {}));
  }

  std::string directory_;
  std::unique_ptr<port::LinuxFlash> files_;
  testing::FakeOutbox outbox_;
  FakeInterpreter interpreter_;
  NoHasher hasher_;
  FakeUpdates updates_;
  std::vector<std::uint8_t> log_memory_ = std::vector<std::uint8_t>(LogService::memory_bytes({}));
  LogService log_{{}, {}, {}, log_memory_};
  std::optional<Services> services_;
  std::vector<std::string> reports_;
  int idle_ = 0;
  TimePoint now_{};
  std::unique_ptr<V1Service> service_;
};

const std::string kLast0 = "\x80\x00"s;

TEST_F(V1, EvalOfAnExpression_RepliesItsReprInOneMessage) {
  send("eval/id1", kLast0 + "45+876");
  ASSERT_EQ(interpreter_.jobs.size(), 1u);
  EXPECT_EQ(interpreter_.jobs[0].source, "45+876");
  EXPECT_THAT(replies(), IsEmpty());
  interpreter_.jobs[0].end(Outcome::Status::ok, "921");
  EXPECT_THAT(replies(), ElementsAre("out/id1 \xff\xff"
                                     "921"));
  EXPECT_FALSE(service_->busy());
}

TEST_F(V1, TheLastOfSeveralEvalsIsAnswered_IsSaidOnce) {
  send("eval/id1", kLast0 + "1");
  send("eval/id2", kLast0 + "2");
  interpreter_.jobs[0].end(Outcome::Status::ok, "1");
  static_cast<void>(replies());
  EXPECT_EQ(idle_, 0);
  interpreter_.jobs[1].end(Outcome::Status::ok, "2");
  static_cast<void>(replies());
  EXPECT_EQ(idle_, 1);
}

TEST_F(V1, EvalPrintsThenEnds_OneMessageHoldsAllOutput) {
  send("eval/id1", kLast0 + "print");
  interpreter_.jobs[0].print("one\n");
  EXPECT_THAT(replies(), IsEmpty());
  interpreter_.jobs[0].print("two\n");
  interpreter_.jobs[0].end();
  EXPECT_THAT(replies(), ElementsAre("out/id1 \xff\xffone\ntwo\n"));
}

TEST_F(V1, EvalThatKeepsRunning_ShowsItsOutputLive) {
  send("eval/id1", kLast0 + "loop");
  interpreter_.jobs[0].print("early");
  static_cast<void>(replies());
  tick();
  tick();
  EXPECT_THAT(replies(), ElementsAre("out/id1 \x00\x00"
                                     "early"s));
  interpreter_.jobs[0].print("late");
  interpreter_.jobs[0].end();
  EXPECT_THAT(replies(), ElementsAre("out/id1 \x80\x01late"s));
}

TEST_F(V1, EvalOutputLargerThanOneReply_IsStreamedInOrder) {
  send("eval/id1", kLast0 + "big");
  std::string all;
  for (int i = 0; i < 10000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    all += line;
    interpreter_.jobs[0].print(line);
    outbox_.pump(1);
  }
  interpreter_.jobs[0].end();
  std::string joined;
  unsigned number = 0;
  for (const auto& sent : outbox_.take()) {
    const auto header = command::v1::decode(as_bytes(sent.payload));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->sequence, number++);
    joined += sent.payload.substr(2);
  }
  EXPECT_EQ(joined, all);
}

TEST_F(V1, ReprLargerThanTheBuffer_ArrivesWhole) {
  send("eval/id1", kLast0 + "x");
  const std::string text(5 * V1Service::kReplyBytes + 17, 'x');
  interpreter_.jobs[0].end(Outcome::Status::ok, text);
  std::string joined;
  for (const auto& sent : outbox_.take()) joined += sent.payload.substr(2);
  EXPECT_EQ(joined, text);
}

TEST_F(V1, EvalRaises_TracebackIsRawAndFollowsTheOutput) {
  send("eval/id1", kLast0 + "1/0");
  interpreter_.jobs[0].end(Outcome::Status::error, "Traceback\nZeroDivisionError");
  EXPECT_THAT(replies(), ElementsAre("err/id1 Traceback\nZeroDivisionError"));
  send("eval/id2", kLast0 + "print(1);1/0");
  interpreter_.jobs[1].print("1\n");
  interpreter_.jobs[1].end(Outcome::Status::interrupted, "KeyboardInterrupt");
  EXPECT_THAT(replies(), ElementsAre("out/id2 \x00\x00"
                                     "1\n"s,
                                     "err/id2 KeyboardInterrupt"));
}

TEST_F(V1, EvalRepeatedAfterItsReply_IsAnsweredFromMemoryNotRunAgain) {
  send("eval/id1", kLast0 + "x");
  send("eval/id1", kLast0 + "x", false, true);
  interpreter_.jobs[0].end(Outcome::Status::ok, "1");
  EXPECT_THAT(replies(), ElementsAre("out/id1 \xff\xff"
                                     "1"));
  send("eval/id1", kLast0 + "x", false, true);
  EXPECT_EQ(interpreter_.jobs.size(), 1u);
  EXPECT_THAT(replies(), ElementsAre("out/id1 \xff\xff"
                                     "1"));
}

TEST_F(V1, EvalRepeatedWhileItRuns_IsNotRunAgainHoweverManyRequestsCameSince) {
  send("eval/id1", kLast0 + "x");
  for (int i = 0; i < 20; ++i) send("get/g" + std::to_string(i) + "//missing", kLast0);
  send("eval/id1", kLast0 + "x");
  EXPECT_EQ(interpreter_.jobs.size(), 1u);
  send("eval/id1/", kLast0 + "the watchdog's");
  EXPECT_EQ(interpreter_.jobs.size(), 2u);
}

TEST_F(V1, SourceInSeveralMessages_IsJoined) {
  send("eval/id1", "\x00\x00"s + "first+");
  EXPECT_TRUE(interpreter_.jobs.empty());
  send("eval/id1", "\x80\x01"s + "second");
  ASSERT_EQ(interpreter_.jobs.size(), 1u);
  EXPECT_EQ(interpreter_.jobs[0].source, "first+second");
}

TEST_F(V1, EvalsThatNeverEnd_DoNotKeepTransfersOut) {
  for (std::size_t i = 0; i < V1Service::kMaxEvals; ++i) send("eval/e" + std::to_string(i), kLast0 + "loop");
  EXPECT_THAT(replies(), IsEmpty());
  send("eval/onemore", kLast0 + "x");
  EXPECT_THAT(replies(), ElementsAre(StartsWith("err/onemore eval: too many evals wait")));
  send("put/p//f", kLast0 + "content");
  EXPECT_THAT(replies(), ElementsAre("out/p \xff\xffOK"));
  send("interrupt/i", kLast0);
  EXPECT_THAT(replies(), ElementsAre("out/i \xff\xffOK"));
  EXPECT_EQ(interpreter_.interrupts, 1);
}

TEST_F(V1, TooMuchSourceWaiting_IsRefused) {
  const std::string large(V1Service::kMaxSourceBytes - 10, ' ');
  send("eval/a", kLast0 + large);
  send("eval/b", kLast0 + "0123456789 too long");
  EXPECT_THAT(replies(), ElementsAre(StartsWith("err/b eval: too much source")));
  interpreter_.jobs[0].end();
  static_cast<void>(replies());
  send("eval/c", kLast0 + large);
  EXPECT_EQ(interpreter_.jobs.size(), 2u);
}

TEST_F(V1, PutAcknowledgesEveryEighthMessageAndIsAtomic) {
  store("f", "old");
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string chunk(1400, static_cast<char>('a' + i));
    all += chunk;
    send("put/p//f", std::string{static_cast<char>(i == 19 ? 0x80 : 0), static_cast<char>(i)} + chunk);
    if (i < 19) {
      EXPECT_EQ(file("f"), "old");
    }
  }
  EXPECT_EQ(file("f"), all);
  EXPECT_THAT(replies(), ElementsAre("out/p \xff\xffSEQ 8", "out/p \xff\xffSEQ 16", "out/p \xff\xffOK"));
  EXPECT_THAT(reports_, ElementsAre("put /f: 28000 bytes"));
  EXPECT_EQ(files(), 1u);
}

TEST_F(V1, PutWithAGap_IsReportedOnceAndLeavesNothing) {
  send("put/p//f", "\x00\x00one"s);
  send("put/p//f", "\x00\x02three"s);
  send("put/p//f", "\x80\x03"s);
  EXPECT_THAT(replies(), ElementsAre(StartsWith("err/p MQRepl protocol error put:")));
  EXPECT_EQ(files(), 0u);
}

TEST_F(V1, PutIntoAMissingDirectory_NamesErrnoAndPath) {
  send("put/p//no/f", kLast0 + "x");
  EXPECT_THAT(replies(), ElementsAre(::testing::AllOf(HasSubstr("ENOENT"), HasSubstr("/no/f"))));
}

TEST_F(V1, GetStreamsChunksAndAnEmptyLast) {
  store("f", std::string(5000, 'x'));
  send("get/g//f", kLast0);
  EXPECT_THAT(replies(), ElementsAre("out/g \x00\x00"s + std::string(2800, 'x'),
                                     "out/g \x00\x01"s + std::string(2200, 'x'), "out/g \x80\x02"s));
  store("e", "");
  send("get/h/e", kLast0);
  EXPECT_THAT(replies(), ElementsAre("out/h \x80\x00"s));
  send("get/i//missing", kLast0);
  EXPECT_THAT(replies(), ElementsAre(HasSubstr("ENOENT")));
  send("get/j/", kLast0);
  EXPECT_THAT(replies(), ElementsAre(HasSubstr("EISDIR")));
}

TEST_F(V1, LargeGet_StaysBelowTheBrokersQueue) {
  store("f", std::string(20'000'000, 'x'));
  send("get/g//f", kLast0);
  std::size_t bytes = 0, messages = 0;
  for (const auto& sent : outbox_.take()) bytes += sent.payload.size() - 2, ++messages;
  EXPECT_EQ(bytes, 20'000'000u);
  EXPECT_LT(messages, 700u);
}

TEST_F(V1, RepliesOfSeveralGets_ShareTheConnection) {
  store("f", std::string(28'000, 'x'));
  send("get/a//f", kLast0);
  send("get/b//f", kLast0);
  outbox_.pump(4);
  std::vector<char> order;
  for (const auto& sent : outbox_.sent) order.push_back(sent.topic.back());
  EXPECT_THAT(order, ElementsAre('a', 'b', 'a', 'b'));
}

TEST_F(V1, RetainedCommand_IsRefusedNotRun) {
  send("eval/id1", kLast0 + "x", true);
  EXPECT_TRUE(interpreter_.jobs.empty());
  EXPECT_THAT(replies(), ElementsAre("err/id1 MQRepl protocol error eval: retained command refused"));
}

TEST_F(V1, MalformedRequests_AreAnsweredByName) {
  send("eval/a", "\x80");
  send("nosuch/b", kLast0);
  send("eval/c", "");
  EXPECT_THAT(replies(), ElementsAre(StartsWith("err/a MQRepl protocol error eval:"),
                                     "err/b Command 'nosuch' not supported"));
  EXPECT_FALSE(service_->handle({"p/qq/mqb/cmd/eval/x", as_bytes(kLast0), false, false}, now_));
  EXPECT_FALSE(service_->handle({"p/q/mqb/cmd/ch/x", as_bytes(kLast0), false, false}, now_));
}

TEST_F(V1, OtaGoesToTheSlotAndNeedsAHash) {
  send("ota/o/abc", kLast0 + "image");
  EXPECT_THAT(replies(), ElementsAre(HasSubstr("SHA-256")));
  send("ota/p/" + std::string(64, 'a'), kLast0 + "image");
  EXPECT_THAT(replies(), ElementsAre("out/p \xff\xffOK"));
  EXPECT_EQ(updates_.log, "image|commit");
}

TEST_F(V1, OtaInstaller_IsHeardWithEachMessageAndToldWhenHeIsDisplaced) {
  now_ += Millis{1'000};
  send("ota/p/" + std::string(64, 'a'), "\x00\x00one"s);
  EXPECT_EQ(updates_.installer.who, "v1 request p");
  EXPECT_EQ(updates_.installer.heard_at(), now_);
  now_ += Millis{1'000};
  send("ota/p/" + std::string(64, 'a'), "\x00\x01two"s);
  EXPECT_EQ(updates_.installer.heard_at(), now_);
  EXPECT_FALSE(updates_.installer.ask);
  replies();
  updates_.installer.displaced({command::StatusCode::cancelled, "another came"});
  EXPECT_THAT(replies(), ElementsAre("err/p ota: another came"));
  send("ota/p/" + std::string(64, 'a'), "\x80\x02three"s);
  EXPECT_THAT(replies(), ElementsAre()) << "what is still on its way is not for another file";
  EXPECT_EQ(updates_.log, "onetwo");
}

TEST_F(V1, RequestsWhoseSenderIsGone_AreGivenUpAndLeaveNothing) {
  using command::v1::RequestAssembler;
  send("put/p//f", "\x00\x00one"s);
  send("eval/e", "\x00\x00print("s);
  now_ += RequestAssembler::kAbandonedAfter - Millis{1};
  send("put/q//g", "\x00\x00one"s);
  service_->expire(now_);
  EXPECT_EQ(files(), 2u);
  now_ += Millis{1};
  service_->expire(now_);
  EXPECT_EQ(files(), 1u);
  EXPECT_THAT(replies(), ElementsAre(HasSubstr("put: no message for too long"),
                                     HasSubstr("eval: no message for too long")));
  send("put/p//f", "\x80\x01two"s);
  EXPECT_THAT(replies(), ElementsAre()) << "it was told";
  send("put/q//g", "\x80\x01two"s);
  EXPECT_EQ(file("g"), "onetwo");
  EXPECT_FALSE(service_->receiving());
}

TEST_F(V1, TransferLeftOpen_IsAbortedWhenTheServiceEnds) {
  send("put/p//f", "\x00\x00one"s);
  EXPECT_EQ(files(), 1u);
  service_.reset();
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace mqboard::board
