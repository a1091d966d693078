#include "python/runtime.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/base/utf8.hpp"
#include "python/testing.hpp"

namespace mqboard::python {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Python;
using testing::Result;
using Status = Outcome::Status;

TEST(RuntimeEval, ExpressionAnswersItsRepr) {
  Python python;
  const Outcome outcome = python.eval("45+876");
  EXPECT_EQ(outcome.status, Status::ok);
  EXPECT_TRUE(outcome.expression);
  EXPECT_EQ(outcome.text, "921");
  EXPECT_EQ(python.value("'a\\'b'"), "\"a'b\"");
  EXPECT_EQ(python.value("None"), "None");
  EXPECT_EQ(python.value("b'\\x00\\xff'"), "b'\\x00\\xff'");
  EXPECT_EQ(python.value("(1,)"), "(1,)");
}

TEST(RuntimeEval, StatementsAnswerTheirOutput) {
  Python python;
  const auto result = python.start_eval("import sys; print(sys.implementation.name)\nx = 5");
  const Outcome& outcome = result->wait();
  EXPECT_EQ(outcome.status, Status::ok);
  EXPECT_FALSE(outcome.expression);
  EXPECT_EQ(result->output(), "micropython\n");
  EXPECT_EQ(python.value("x"), "5");
}

TEST(RuntimeEval, PrintInAnExpressionGoesToTheSinkAndNotIntoTheValue) {
  Python python;
  const auto result = python.start_eval("print('shown')");
  EXPECT_EQ(result->wait().text, "None");
  EXPECT_EQ(result->output(), "shown\n");
  EXPECT_TRUE(python.watcher.lines().empty());
}

TEST(RuntimeEval, LiteralsOfTheirOwnLeaveTheHeapAsItWas) {
  Python python;
  python.eval("import gc\ndef free():\n  gc.collect()\n  return gc.mem_free()");
  ASSERT_EQ(python.value("'warm'"), "'warm'");
  const int before = std::stoi(python.value("free()"));
  for (int i = 0; i < 2'000; ++i) {
    const std::string text = std::to_string(i) + "ab";
    ASSERT_EQ(python.value("'" + text + "'"), "'" + text + "'");
  }
  EXPECT_GT(std::stoi(python.value("free()")), before - 2'000);
}

TEST(RuntimeEval, LiteralsAreEqualToTheNamesTheySpell) {
  Python python;
  python.eval(
      "class Thing:\n  pass\nthing = Thing()\nsetattr(thing, 'made_up', 1)\ndef f(**k): return k['kw']");
  EXPECT_EQ(python.value("thing.made_up, getattr(thing, 'made_up')"), "(1, 1)");
  EXPECT_EQ(python.value("f(kw=2), f(**{'kw': 3})"), "(2, 3)");
  EXPECT_EQ(python.value("{'q1': 1}['q' + '1'], {'q' + '1': 1}['q1'], 'q1' in ['q1']"), "(1, 1, True)");
  EXPECT_EQ(python.value("globals()['thing'] is thing"), "True");
}

TEST(RuntimeEval, ErrorAnswersTheTracebackWithoutOurOwnFrames) {
  Python python;
  const Outcome outcome = python.eval("1/0");
  EXPECT_EQ(outcome.status, Status::error);
  EXPECT_EQ(outcome.text,
            "Traceback (most recent call last):\n"
            "  File \"<stdin>\", line 1, in <module>\n"
            "ZeroDivisionError: divide by zero\n");
  EXPECT_THAT(python.eval("def").text, HasSubstr("SyntaxError: invalid syntax"));
}

TEST(RuntimeEval, LongSourceRuns) {
  Python python;
  EXPECT_EQ(python.value("len('" + std::string(100'000, 'x') + "')"), "100000");
  std::string statements = "n = 0\n";
  while (statements.size() < 100'000) statements += "n += 1  # counts the lines of a long program\n";
  EXPECT_EQ(python.run(statements), "");
  EXPECT_EQ(python.value("n"), std::to_string((statements.size() - 6) / 45));
}

TEST(RuntimeEval, SourceBeyondTheLimitIsRefused) {
  Python python(Limits{.source_bytes = 1000});
  const Outcome outcome = python.eval(std::string(1001, ' '));
  EXPECT_EQ(outcome.status, Status::refused);
  EXPECT_EQ(outcome.text, "source too long");
}

TEST(RuntimeEval, LongOutputStreamsWhileRunning) {
  Python python;
  const auto result = python.start_eval("for i in range(10000): print('x' * 99)\nwhile True: pass");
  while (result->output().size() < 1'000'000) std::this_thread::yield();
  EXPECT_FALSE(result->is_done());
  EXPECT_GT(result->chunks(), 100u);
  python.runtime.interrupt();
  EXPECT_EQ(result->wait().status, Status::interrupted);
  EXPECT_EQ(result->output().size(), 1'000'000u);
}

TEST(RuntimeEval, LongLineComesInChunks) {
  Python python;
  const auto result = python.start_eval("import sys; _ = sys.stdout.write('y' * 10000)");
  result->wait();
  EXPECT_EQ(result->output(), std::string(10000, 'y'));
  EXPECT_EQ(result->chunks(), 3u);
}

TEST(RuntimeEval, SourceThatIsNotUtf8IsAnError) {
  Python python;
  EXPECT_EQ(python.value("'\xff\xfe'"), "UnicodeError: source is not UTF-8");
  EXPECT_EQ(python.value("len('\xc3\xa9')"), "1");
  EXPECT_EQ(python.value(std::string("1\0+1", 4)), "SyntaxError: invalid syntax");
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(RuntimeEval, EmptySourceIsAnEmptyProgram) {
  Python python;
  const Outcome outcome = python.eval("");
  EXPECT_EQ(outcome.status, Status::ok);
  EXPECT_EQ(outcome.text, "");
}

TEST(RuntimeExec, ScriptHasItsNameInTracebacks) {
  Python python;
  EXPECT_THAT(python.run("def f():\n  raise ValueError('no')\nf()\n"),
              HasSubstr("  File \"script.py\", line 3, in <module>\n"
                        "  File \"script.py\", line 2, in f\nValueError: no\n"));
}

TEST(RuntimeExec, SystemExitCarriesItsCode) {
  Python python;
  const auto exit_code = [&](const char* script) {
    const Outcome outcome = python.start_exec(script)->wait();
    EXPECT_EQ(outcome.status, Status::exited);
    return outcome.exit_code;
  };
  EXPECT_EQ(exit_code("import sys; sys.exit(3)"), 3);
  EXPECT_EQ(exit_code("import sys; sys.exit()"), 0);
  EXPECT_EQ(exit_code("raise SystemExit('why')"), 1);
}

TEST(RuntimeExec, WithoutASinkOutputAndTracebackGoToTheConsole) {
  Python python;
  python.runtime.exec("print('one\\ntwo')\nraise ValueError(3)", "main.py", nullptr);
  python.watcher.wait_for_line("ValueError");
  EXPECT_THAT(python.watcher.lines(),
              ElementsAre("out: one", "out: two", "err: Traceback (most recent call last):",
                          "err:   File \"main.py\", line 2, in <module>", "err: ValueError: 3"));
}

TEST(RuntimeExec, LongConsoleLinesComeInPiecesOfWholeCharacters) {
  Python python;
  python.run("pass");
  python.runtime.exec("print('x' + 'ä' * 1500)\nprint('y' * 1024)\nprint('end')", "main.py", nullptr);
  python.watcher.wait_for_line("end");
  const auto lines = python.watcher.lines();
  ASSERT_EQ(lines.size(), 5u);
  std::string whole;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(is_utf8(as_bytes(lines[i]))) << i;
    EXPECT_LE(lines[i].size(), kConsoleLine + 5);
    whole += lines[i].substr(5);
  }
  EXPECT_EQ(whole.size(), 3001u);
  EXPECT_EQ(lines[3], "out: " + std::string(1024, 'y'));
}

TEST(RuntimeComplete, OffersNamesAndAttributes) {
  Python python;
  python.run("alpha_one = 1\nalpha_two = 2\nimport os");
  const auto complete = [&](const char* prefix) {
    const auto result = std::make_shared<Result>();
    python.runtime.complete(prefix, result);
    EXPECT_EQ(result->wait().status, Status::ok) << result->wait().text;
    return result->output();
  };
  EXPECT_EQ(complete("x = alpha_"), "alpha_one\nalpha_two\n");
  EXPECT_THAT(complete("print(os.rem"), HasSubstr("os.remove\n"));
  EXPECT_EQ(complete("nothing.at"), "");
}

TEST(RuntimeInterrupt, EndsABusyLoop) {
  Python python;
  const auto result = python.start_eval("print('go')\nwhile True: pass");
  result->wait_for_output("go");
  python.runtime.interrupt();
  EXPECT_EQ(result->wait().status, Status::interrupted);
  EXPECT_THAT(result->wait().text, HasSubstr("KeyboardInterrupt"));
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(RuntimeInterrupt, EndsASleep) {
  Python python;
  const auto result = python.start_eval("import time; print('go'); time.sleep(1000)");
  result->wait_for_output("go");
  python.runtime.interrupt();
  EXPECT_EQ(result->wait().status, Status::interrupted);
}

TEST(RuntimeInterrupt, StrikesOnce) {
  Python python;
  const auto result = python.start_exec(
      "import time\n"
      "print('go')\n"
      "try:\n"
      "  while True: pass\n"
      "except KeyboardInterrupt: print('caught')\n"
      "time.sleep_ms(20)\n");
  result->wait_for_output("go");
  python.runtime.interrupt();
  EXPECT_EQ(result->wait().status, Status::ok);
  EXPECT_EQ(result->output(), "go\ncaught\n");
}

TEST(RuntimeInterrupt, IsHarmlessWhenNothingRuns) {
  Python python;
  python.eval("1");
  for (int i = 0; i < 100; ++i) {
    python.runtime.interrupt();
    EXPECT_EQ(python.value("sum(range(100))"), "4950");
  }
}

TEST(RuntimeInterrupt, OfOneJobLeavesOthersAlone) {
  Python python;
  const auto running = std::make_shared<Result>();
  const auto waiting = std::make_shared<Result>();
  const JobId first = python.runtime.eval("print('go')\nwhile True: pass", running);
  const JobId second = python.runtime.eval("2", waiting);
  running->wait_for_output("go");
  EXPECT_FALSE(python.runtime.interrupt(JobId{999}));
  EXPECT_TRUE(python.runtime.interrupt(second));
  EXPECT_EQ(waiting->wait().status, Status::interrupted);
  EXPECT_FALSE(running->is_done());
  EXPECT_TRUE(python.runtime.interrupt(first));
  EXPECT_EQ(running->wait().status, Status::interrupted);
}

TEST(RuntimeStop, EndsCodeThatSwallowsInterrupts) {
  Python python;
  const auto result = python.start_eval(
      "print('go')\n"
      "while True:\n"
      "  try:\n"
      "    while True: pass\n"
      "  except KeyboardInterrupt: pass\n");
  result->wait_for_output("go");
  python.runtime.stop();
  EXPECT_EQ(result->wait().status, Status::crashed);
  EXPECT_EQ(python.eval("1").status, Status::refused);
}

TEST(RuntimeStop, EndsOneLongOperationOfCCode) {
  Python python;
  const auto result = python.start_eval("print('go')\npow(3, 1 << 300000, (1 << 6001) - 1)\n");
  result->wait_for_output("go");
  python.runtime.stop();
  EXPECT_EQ(result->wait().status, Status::crashed);
}

TEST(RuntimeInput, HasReachedItsEndFromTheBeginning) {
  Python python;
  const auto result = python.eval("input('name? ')");
  EXPECT_EQ(result.status, Status::error);
  EXPECT_NE(result.text.find("EOFError"), std::string::npos) << result.text;
  EXPECT_EQ(python.value("1 + 1"), "2");
}

TEST(RuntimeActivity, TellsWhatRuns) {
  Python python;
  const auto result = std::make_shared<Result>();
  const JobId job = python.runtime.exec("print('go')\nwhile True: pass", "busy.py", result);
  result->wait_for_output("go");
  python.runtime.eval("1", nullptr);
  const Activity activity = python.runtime.activity();
  EXPECT_EQ(activity.kind, Activity::Kind::exec);
  EXPECT_EQ(activity.job, job);
  EXPECT_EQ(activity.name, "busy.py");
  EXPECT_FALSE(activity.waiting);
  EXPECT_EQ(activity.jobs_waiting, 1u);
  EXPECT_EQ(activity.generation, 1u);
  python.runtime.interrupt();
  result->wait();
}

// Reads beyond the end of the interpreter's memory.
constexpr const char* kTrap = "import uctypes\nprint(uctypes.bytearray_at(0x7ffffff0, 16)[0])\n";

TEST(RuntimeCrash, IsContainedReportedAndFollowedByAFreshInstance) {
  Python python;
  python.run("survivor = 1");
  const Outcome outcome = python.eval(kTrap);
  EXPECT_EQ(outcome.status, Status::crashed);
  EXPECT_EQ(outcome.text, "interpreter crashed (out of bounds memory access) and was restarted\n");
  EXPECT_EQ(python.value("survivor"), "NameError: name 'survivor' isn't defined");
  ASSERT_EQ(python.watcher.crashes().size(), 1u);
  const Crash crash = python.watcher.crashes()[0];
  EXPECT_EQ(crash.cause, "out of bounds memory access");
  EXPECT_EQ(crash.running, "eval");
  EXPECT_EQ(crash.source, kTrap);
  EXPECT_EQ(crash.generation, 1u);
  EXPECT_EQ(python.runtime.activity().generation, 2u);
}

TEST(RuntimeCrash, WaitingJobsRunInTheNextInstance) {
  Python python;
  const auto busy = python.start_eval("import time; print('go'); time.sleep(0.05)\n" + std::string(kTrap));
  busy->wait_for_output("go");
  const auto waiting = python.start_eval("40+2");
  EXPECT_EQ(busy->wait().status, Status::crashed);
  EXPECT_EQ(waiting->wait().text, "42");
}

TEST(RuntimeCrash, FilesLeftOpenAreClosed) {
  Python python;
  python.eval("f = open('a', 'w')\nf.write('x')");
  EXPECT_EQ(python.flash.open_files(), 1u);
  python.eval(kTrap);
  python.watcher.wait_for_generation(2);
  EXPECT_EQ(python.flash.open_files(), 0u);
}

TEST(RuntimeCrash, InAnInnerJobEndsTheOuterOneToo) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio\n"
      "async def main():\n"
      "  print('go')\n"
      "  while True: await asyncio.sleep_ms(1)\n"
      "asyncio.run(main())\n");
  program->wait_for_output("go");
  EXPECT_EQ(python.eval(kTrap).status, Status::crashed);
  EXPECT_EQ(program->wait().status, Status::crashed);
  EXPECT_EQ(python.value("1+1"), "2");
}

// The package's own JavaScript home lets this one trap.
TEST(RuntimeCrash, ImportStarFromAnInstanceInSysModulesIsHarmless) {
  Python python;
  python.eval(
      "import sys\n"
      "class M:\n"
      "  def __init__(self):\n"
      "    for i in range(40): setattr(self, 'a%d' % i, i)\n"
      "sys.modules['mod'] = M()\n"
      "from mod import *\n");
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(RuntimeCrash, WithoutRestartRefusesJobs) {
  Python python;
  python.watcher.restart = false;
  EXPECT_EQ(python.eval(kTrap).status, Status::crashed);
  const Outcome outcome = python.eval("1");
  EXPECT_EQ(outcome.status, Status::refused);
}

TEST(RuntimeLimits, SeveralRuntimesAreIndependent) {
  Python one, two, three;
  one.run("x = 1");
  two.run("x = 2");
  const auto busy = three.start_eval("print('go')\nwhile True: pass");
  busy->wait_for_output("go");
  EXPECT_EQ(one.value("x"), "1");
  EXPECT_EQ(two.value("x"), "2");
  three.runtime.interrupt();
  busy->wait();
}

TEST(RuntimeLimits, TooManyJobsAreRefused) {
  Python python(Limits{.jobs_waiting = 2});
  const auto busy = python.start_eval("print('go')\nwhile True: pass");
  busy->wait_for_output("go");
  python.start_eval("1");
  python.start_eval("2");
  EXPECT_EQ(python.eval("3").text, "too many jobs waiting");
  python.runtime.interrupt();
}

}  // namespace
}  // namespace mqboard::python
