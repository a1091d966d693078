#include "python/host_module.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "python/testing.hpp"

namespace mqboard::python {
namespace {

using ::testing::HasSubstr;
using testing::Python;
using Status = Outcome::Status;

// A module `host` with the functions the tests need.
std::vector<HostModule> modules(std::vector<Completion>* completions = nullptr) {
  HostModule module{.name = "host", .functions = {}, .constants = {}};
  const auto add = [&](std::string name, HostFunction function) {
    module.functions.push_back({std::move(name), std::move(function)});
  };
  add("same", [](Call& call) -> HostResult { return to_owned(call.args()[0]); });
  add("count", [](Call& call) -> HostResult { return static_cast<std::int64_t>(call.args().size()); });
  add("kind", [](Call& call) -> HostResult { return static_cast<std::int64_t>(call.args()[0].index()); });
  add("no_such_file", [](Call&) -> HostResult { return os_error(ENOENT); });
  add("os_message", [](Call&) -> HostResult { return os_error(EIO, "flash worn out"); });
  add("bad_value", [](Call&) -> HostResult { return value_error("not that"); });
  add("throws", [](Call&) -> HostResult { throw std::runtime_error("thrown"); });
  add("text_of", [](Call& call) -> HostResult { return std::string(call.text(0)); });
  add("int_of", [](Call& call) -> HostResult { return call.integer(0); });
  add("bad_text", [](Call&) -> HostResult { return std::string("\xff"); });
  add("later", [completions](Call& call) -> HostResult {
    completions->push_back(call.defer());
    return None{};
  });
  add("at_once", [](Call& call) -> HostResult {
    call.defer().complete(std::int64_t{7});
    return None{};
  });
  add("forgotten", [](Call& call) -> HostResult {
    static_cast<void>(call.defer());
    return None{};
  });
  module.constants = {
      {"LEVEL", std::int64_t{3}}, {"NAME", std::string("caf\xc3\xa9 \"'\\")}, {"KEY", ByteString{0, 255}}};
  return {module};
}

TEST(HostModule, IsARealModule) {
  Python python({}, modules());
  EXPECT_EQ(python.run("from host import *\nprint(count(1, 2, 3), LEVEL, KEY)"), "3 3 b'\\x00\\xff'\n");
  EXPECT_EQ(python.value("NAME == 'caf\xc3\xa9 \"\\'\\\\'"), "True");
  EXPECT_THAT(python.run("import host\nprint(dir(host))"), HasSubstr("no_such_file"));
}

TEST(HostModule, ValuesMakeTheRoundTrip) {
  Python python({}, modules());
  python.run("from host import same, kind");
  for (const char* value : {"None",
                            "True",
                            "False",
                            "0",
                            "-1",
                            "1073741823",
                            "1073741824",
                            "-1073741825",
                            "2147483647",
                            "2147483648",
                            "-2147483649",
                            "9223372036854775807",
                            "-9223372036854775808",
                            "1.5",
                            "-0.0",
                            "1e+300",
                            "''",
                            "'abc'",
                            "b''",
                            "b'\\x00'"}) {
    EXPECT_EQ(python.value(std::string("same(") + value + ")"), value);
  }
  EXPECT_EQ(python.value("same('h\xc3\xa9\xe2\x82\xac') == 'h\xc3\xa9\xe2\x82\xac'"), "True");
  EXPECT_EQ(python.value("same(float('inf')), same(float('nan'))"), "(inf, nan)");
  EXPECT_EQ(python.value("same(1 << 63)"), "OverflowError: int too large");
}

TEST(HostModule, BytesOfAllValuesMakeTheRoundTrip) {
  Python python({}, modules());
  python.run("from host import same\nb = bytes(range(256))");
  EXPECT_EQ(python.value("same(b) == b, same(bytearray(b)) == b, same(memoryview(b)) == b"),
            "(True, True, True)");
  EXPECT_EQ(python.value("same(memoryview(b)[10:20]) == b[10:20], type(same(bytearray(b)))"),
            "(True, <class 'bytes'>)");
  EXPECT_EQ(python.value("{same(b): 1}[b], hash(same(b)) == hash(b)"), "(1, True)");
}

TEST(HostModule, BytesOfArraysAreTheirMemory) {
  Python python({}, modules());
  python.run("from host import same\nfrom array import array\na = array('H', [1, 2, 258])");
  EXPECT_EQ(python.value("same(memoryview(a))"), "b'\\x01\\x00\\x02\\x00\\x02\\x01'");
}

TEST(HostModule, AMegabyteMakesTheRoundTrip) {
  Python python(Limits{.heap_bytes = 4 * 1024 * 1024}, modules());
  python.run("from host import same\nb = bytes(range(256)) * 4096\nc = same(b)");
  EXPECT_EQ(python.value("len(c), b == c"), "(1048576, True)");
}

TEST(HostModule, BytesTooBigForTheHeapRaiseMemoryError) {
  Python python({},
                {HostModule{.name = "big",
                            .functions = {{"bytes", [](Call&) -> HostResult { return ByteString(1 << 20); }}},
                            .constants = {}}});
  python.run("import big");
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(python.value("len(big.bytes())"), HasSubstr("MemoryError"));
  }
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(HostModule, OtherObjectsAreRefused) {
  Python python({}, modules());
  python.run("from host import same, count");
  EXPECT_EQ(python.value("same([])"), "TypeError: can't pass list to the host");
  EXPECT_EQ(python.value("same(same)"), "TypeError: can't pass closure to the host");
  EXPECT_EQ(python.value("count(1, b'x', {}, 2)"), "TypeError: can't pass dict to the host");
}

TEST(HostModule, ErrorsAreRaised) {
  Python python({}, modules());
  python.run("import host");
  EXPECT_EQ(python.value("host.no_such_file()"), "OSError: [Errno 2] ENOENT");
  EXPECT_EQ(python.run("try: host.no_such_file()\nexcept OSError as e: print(e.errno, e.args)"), "2 (2,)\n");
  EXPECT_EQ(python.run("try: host.os_message()\nexcept OSError as e: print(e.args)"),
            "(5, 'flash worn out')\n");
  EXPECT_EQ(python.value("host.bad_value()"), "ValueError: not that");
  EXPECT_EQ(python.value("host.throws()"), "RuntimeError: thrown");
  EXPECT_EQ(python.value("host.text_of(1)"), "TypeError: argument 1: expected str");
  EXPECT_EQ(python.value("host.text_of()"), "TypeError: argument 1: missing");
  EXPECT_EQ(python.value("host.int_of(True)"), "1");
  EXPECT_EQ(python.value("host.bad_text()"), "ValueError: host returned text that is not UTF-8");
}

TEST(HostModule, HostObjectsAreFreedWithTheirPythonSide) {
  Python python({}, modules());
  python.run("from host import same\nb = b'x' * 1000\nfor i in range(20000): same(b)");
  EXPECT_EQ(python.value("same(b) == b"), "True");
}

TEST(HostModule, ADeferredAnswerIsAwaited) {
  std::vector<Completion> completions;
  Python python({}, modules(&completions));
  const auto program = python.start_exec(
      "import asyncio, host\n"
      "async def main():\n"
      "  later = host.later()\n"
      "  print('waiting')\n"
      "  print(await later)\n"
      "asyncio.run(main())\n");
  program->wait_for_output("waiting");
  std::thread([&] { completions[0].complete(ByteString{1, 2}); }).join();
  EXPECT_EQ(program->wait().status, Status::ok) << program->wait().text;
  EXPECT_EQ(program->output(), "waiting\nb'\\x01\\x02'\n");
}

TEST(HostModule, ADeferredErrorIsRaisedWhereItIsAwaited) {
  std::vector<Completion> completions;
  Python python({}, modules(&completions));
  const auto program = python.start_exec(
      "import asyncio, host\n"
      "async def main():\n"
      "  later = host.later()\n"
      "  print('waiting')\n"
      "  try: await later\n"
      "  except OSError as e: print(e)\n"
      "asyncio.run(main())\n");
  program->wait_for_output("waiting");
  completions[0].fail(os_error(ETIMEDOUT).error());
  completions[0].complete(None{});
  EXPECT_EQ(program->wait().status, Status::ok) << program->wait().text;
  EXPECT_THAT(program->output(), HasSubstr("[Errno 110] ETIMEDOUT"));
}

TEST(HostModule, ADeferredAnswerIsWaitedForSynchronously) {
  std::vector<Completion> completions;
  Python python({}, modules(&completions));
  EXPECT_EQ(python.run("import host\nprint(host.at_once().wait())"), "7\n");
  EXPECT_EQ(python.run("print(host.forgotten().wait())").substr(0, 8), "status 1");
  EXPECT_EQ(python.value("host.forgotten().wait()"), "RuntimeError: abandoned");
  EXPECT_EQ(python.value("host.later().wait(10)"), "OSError: [Errno 110] ETIMEDOUT");
  const auto waiting = python.start_eval("print('go')\nhost.later().wait()");
  waiting->wait_for_output("go");
  python.runtime.interrupt();
  EXPECT_EQ(waiting->wait().status, Status::interrupted);
}

TEST(HostModule, WaitingForAnAnswerAtTheTopOfAProgramKeepsNobodyOut) {
  std::vector<Completion> completions;
  Python python({}, modules(&completions));
  const auto waiting =
      python.start_exec("import host\nlater = host.later()\nprint('go')\nprint(later.wait())\n");
  waiting->wait_for_output("go");
  EXPECT_EQ(python.value("later.done()"), "False");
  completions[0].complete(std::int64_t{7});
  EXPECT_EQ(waiting->wait().status, Status::ok);
  EXPECT_EQ(waiting->output(), "go\n7\n");
}

TEST(HostModule, ATaskMayWaitForAnAnswerSynchronously) {
  std::vector<Completion> completions;
  Python python({}, modules(&completions));
  EXPECT_EQ(python.run("import asyncio, host\n"
                       "async def main(): return host.at_once().wait()\n"
                       "print(asyncio.run(main()))"),
            "7\n");
}

TEST(HostModule, AnswersForACrashedInstanceAreDropped) {
  std::vector<Completion> completions;
  Python python({}, modules(&completions));
  python.run("import host\nlater = host.later()");
  python.eval("import uctypes\nprint(uctypes.bytearray_at(0x7ffffff0, 16)[0])\n");
  python.watcher.wait_for_generation(2);
  completions[0].complete(std::int64_t{1});
  EXPECT_EQ(python.run("import host\nlater = host.at_once()\nprint(later.wait())"), "7\n");
}

TEST(HostModule, CompletionsOutliveTheRuntime) {
  std::vector<Completion> completions;
  {
    Python python({}, modules(&completions));
    python.run("import host\nhost.later()");
  }
  completions[0].complete(None{});
}

TEST(Events, AreDeliveredInOrderWithTheirArguments) {
  Python python;
  python.run(
      "import _mqb\ngot = []\n_mqb.on_event('mqtt', lambda *a: got.append(a))\n"
      "_mqb.on_event('last', lambda: print('last'))");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(python.runtime.post_event("mqtt", {std::string("topic"), ByteString{0, 255}, std::int64_t{i},
                                                   false, None{}, std::int64_t{1} << 40}));
  }
  python.runtime.post_event("unknown", {});
  python.runtime.post_event("last", {});
  python.watcher.wait_for_line("last");
  EXPECT_EQ(python.value("got[0], len(got), got[2][2]"),
            "(('topic', b'\\x00\\xff', 0, False, None, 1099511627776), 3, 2)");
}

TEST(Events, ACoroutineHandlerBecomesATask) {
  Python python;
  python.run(
      "import _mqb, asyncio\n"
      "async def handler(n):\n"
      "  await asyncio.sleep_ms(1)\n"
      "  print('handled', n)\n"
      "_mqb.on_event('e', handler)\n");
  python.runtime.post_event("e", {std::int64_t{5}});
  python.watcher.wait_for_line("handled 5");
}

TEST(Events, AnErrorInAHandlerIsLogged) {
  Python python;
  python.run("import _mqb\ndef handler(): raise ValueError('in handler')\n_mqb.on_event('e', handler)");
  python.runtime.post_event("e", {});
  python.watcher.wait_for_line("ValueError: in handler");
}

TEST(Events, BeyondTheLimitAreDroppedAndCounted) {
  Python python(Limits{.events_waiting = 3, .event_bytes = 1000});
  const auto busy = python.start_eval("print('go')\nwhile True: pass");
  busy->wait_for_output("go");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(python.runtime.post_event("e", {}));
  EXPECT_FALSE(python.runtime.post_event("e", {}));
  EXPECT_EQ(python.runtime.activity().events_waiting, 3u);
  EXPECT_EQ(python.runtime.activity().events_dropped, 1u);
  python.runtime.interrupt();
  busy->wait();
  python.value("1");
  EXPECT_FALSE(python.runtime.post_event("e", {ByteString(1000)}));
}

}  // namespace
}  // namespace mqboard::python
