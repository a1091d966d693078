#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "python/testing.hpp"

namespace mqboard::python {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Python;
using testing::SkippingClock;
using Status = Outcome::Status;

// Runs `body`, indented by two spaces, as `async def main()`.
std::string run_main(Python& python, const std::string& body) {
  return python.run("import asyncio\nasync def main():\n" + body + "\nprint(asyncio.run(main()))\n");
}

struct Asyncio : ::testing::Test {
  SkippingClock clock;
  Python python{clock};
};

TEST_F(Asyncio, RunAnswersTheResultOrRaises) {
  EXPECT_EQ(run_main(python, "  return 42"), "42\n");
  EXPECT_THAT(run_main(python, "  raise ValueError('in main')"), HasSubstr("in main\nValueError: in main\n"));
  EXPECT_EQ(python.run("print(asyncio.get_event_loop().run_until_complete(asyncio.sleep_ms(1)))"), "None\n");
}

TEST_F(Asyncio, TasksTakeTurns) {
  EXPECT_EQ(run_main(python,
                     "  log = []\n"
                     "  async def work(name, ms):\n"
                     "    for i in range(3):\n"
                     "      log.append(name)\n"
                     "      await asyncio.sleep_ms(ms)\n"
                     "    return name\n"
                     "  tasks = [asyncio.create_task(work(n, 0)) for n in 'abc']\n"
                     "  results = []\n"
                     "  for t in tasks: results.append(await t)\n"
                     "  return ''.join(log), results"),
            "('abcabcabc', ['a', 'b', 'c'])\n");
}

TEST_F(Asyncio, SleepersWakeInOrder) {
  EXPECT_EQ(run_main(python,
                     "  log = []\n"
                     "  async def sleeper(ms):\n"
                     "    await asyncio.sleep_ms(ms)\n"
                     "    log.append(ms)\n"
                     "  await asyncio.gather(*[sleeper(ms) for ms in (30, 10, 20, 0, 40)])\n"
                     "  await asyncio.sleep(0.001)\n"
                     "  return log"),
            "[0, 10, 20, 30, 40]\n");
}

TEST_F(Asyncio, GatherCollectsResultsAndErrors) {
  EXPECT_EQ(run_main(python,
                     "  async def good(n): return n\n"
                     "  async def bad(): raise ValueError('bad')\n"
                     "  print(await asyncio.gather(good(1), good(2)), await asyncio.gather())\n"
                     "  print(await asyncio.gather(good(1), bad(), return_exceptions=True))\n"
                     "  try: await asyncio.gather(good(1), bad())\n"
                     "  except ValueError as e: print('raised', e)"),
            "[1, 2] []\n[1, ValueError('bad',)]\nraised bad\nNone\n");
}

TEST_F(Asyncio, CancellingGatherCancelsItsTasks) {
  EXPECT_EQ(run_main(python,
                     "  log = []\n"
                     "  async def forever(n):\n"
                     "    log.append('begun')\n"
                     "    try: await asyncio.sleep(1000)\n"
                     "    except asyncio.CancelledError: log.append(n); raise\n"
                     "  t = asyncio.create_task(asyncio.gather(forever(1), forever(2)))\n"
                     "  while len(log) < 2: await asyncio.sleep_ms(1)\n"
                     "  t.cancel()\n"
                     "  try: await t\n"
                     "  except asyncio.CancelledError: log.append('gather')\n"
                     "  while len(log) < 5: await asyncio.sleep_ms(1)\n"
                     "  return sorted([str(l) for l in log])"),
            "['1', '2', 'begun', 'begun', 'gather']\n");
}

TEST_F(Asyncio, WaitForTimesOutAndCancels) {
  EXPECT_EQ(run_main(python,
                     "  begun = []\n"
                     "  async def forever():\n"
                     "    begun.append(1)\n"
                     "    try: await asyncio.sleep(1000)\n"
                     "    finally: print('cancelled')\n"
                     "  try: await asyncio.wait_for(forever(), 0.05)\n"
                     "  except asyncio.TimeoutError: print('timeout')\n"
                     "  try: await asyncio.wait_for_ms(asyncio.sleep(1000), 5)\n"
                     "  except asyncio.TimeoutError: print('timeout')\n"
                     "  async def quick(): return 'quick'\n"
                     "  async def bad(): raise KeyError(1)\n"
                     "  print(await asyncio.wait_for(quick(), 1000), await asyncio.wait_for(quick(), None))\n"
                     "  try: await asyncio.wait_for(bad(), 1000)\n"
                     "  except KeyError: print('error')\n"
                     "  t = asyncio.create_task(asyncio.wait_for(forever(), 1000))\n"
                     "  while len(begun) < 2: await asyncio.sleep_ms(1)\n"
                     "  t.cancel()\n"
                     "  try: await t\n"
                     "  except asyncio.CancelledError: print('from outside')"),
            "cancelled\ntimeout\ntimeout\nquick quick\nerror\ncancelled\nfrom outside\nNone\n");
}

TEST_F(Asyncio, EventWakesAllWhoWait) {
  EXPECT_EQ(run_main(python,
                     "  event = asyncio.Event()\n"
                     "  log = []\n"
                     "  async def waiter(n):\n"
                     "    await event.wait()\n"
                     "    log.append(n)\n"
                     "  tasks = [asyncio.create_task(waiter(i)) for i in range(3)]\n"
                     "  await asyncio.sleep_ms(1)\n"
                     "  tasks[1].cancel()\n"
                     "  event.set()\n"
                     "  await asyncio.sleep_ms(1)\n"
                     "  await event.wait()\n"
                     "  event.clear()\n"
                     "  return log, event.is_set()"),
            "([0, 2], False)\n");
}

TEST_F(Asyncio, LockIsFairAndSurvivesCancellation) {
  EXPECT_EQ(run_main(python,
                     "  lock = asyncio.Lock()\n"
                     "  log = []\n"
                     "  async def user(n):\n"
                     "    async with lock:\n"
                     "      log.append(n)\n"
                     "      await asyncio.sleep_ms(2)\n"
                     "  tasks = [asyncio.create_task(user(i)) for i in range(4)]\n"
                     "  await asyncio.sleep_ms(1)\n"
                     "  tasks[1].cancel()\n"
                     "  for i in (0, 2, 3): await tasks[i]\n"
                     "  try: lock.release()\n"
                     "  except RuntimeError: print('not held')\n"
                     "  await lock.acquire()\n"
                     "  a, b = asyncio.create_task(user(8)), asyncio.create_task(user(9))\n"
                     "  await asyncio.sleep_ms(1)\n"
                     "  lock.release()\n"
                     "  a.cancel()\n"
                     "  await b\n"
                     "  return log, lock.locked()"),
            "not held\n([0, 2, 3, 9], False)\n");
}

TEST_F(Asyncio, ThreadSafeFlagIsClearedByWaiting) {
  EXPECT_EQ(run_main(python,
                     "  flag = asyncio.ThreadSafeFlag()\n"
                     "  flag.set()\n"
                     "  await flag.wait()\n"
                     "  try: await asyncio.wait_for_ms(flag.wait(), 5)\n"
                     "  except asyncio.TimeoutError: return 'cleared'"),
            "cleared\n");
}

TEST_F(Asyncio, ErrorsNobodyAsksForReachTheHandler) {
  EXPECT_EQ(
      run_main(python,
               "  loop = asyncio.get_event_loop()\n"
               "  seen = []\n"
               "  loop.set_exception_handler(lambda loop, context: seen.append(str(context['exception'])))\n"
               "  async def bad(text): raise ValueError(text)\n"
               "  asyncio.create_task(bad('one'))\n"
               "  asked = asyncio.create_task(bad('two'))\n"
               "  await asyncio.sleep_ms(5)\n"
               "  try: await asked\n"
               "  except ValueError as e: seen.append('asked')\n"
               "  loop.set_exception_handler(None)\n"
               "  return seen"),
      "['one', 'two', 'asked']\n");
  const auto result =
      python.start_eval("async def bad(): raise ValueError('lost')\nasyncio.create_task(bad())");
  EXPECT_EQ(result->wait().status, Status::ok);
  python.watcher.wait_for_line("ValueError: lost");
}

TEST_F(Asyncio, RunForeverIsStoppable) {
  EXPECT_EQ(python.run("import asyncio\n"
                       "loop = asyncio.get_event_loop()\n"
                       "async def stopper():\n"
                       "  await asyncio.sleep_ms(2)\n"
                       "  loop.stop()\n"
                       "loop.create_task(stopper())\n"
                       "loop.run_forever()\n"
                       "print('stopped')\n"),
            "stopped\n");
}

TEST_F(Asyncio, NewEventLoopForgetsTasks) {
  EXPECT_EQ(python.run("import asyncio\n"
                       "async def noise(): print('noise')\n"
                       "asyncio.create_task(noise())\n"
                       "loop = asyncio.new_event_loop()\n"
                       "loop.run_until_complete(asyncio.sleep_ms(2))\n"
                       "print('quiet')\n"),
            "quiet\n");
}

TEST_F(Asyncio, CurrentTaskIsTheOneThatRuns) {
  EXPECT_EQ(
      run_main(python,
               "  t = asyncio.current_task()\n"
               "  async def other(): return asyncio.current_task() is t\n"
               "  return await other(), await asyncio.create_task(other()), asyncio.current_task() is t"),
      "(True, False, True)\n");
  EXPECT_EQ(python.value("asyncio.current_task()"), "RuntimeError: no running event loop");
}

TEST_F(Asyncio, ATaskCannotCancelItself) {
  EXPECT_THAT(run_main(python, "  asyncio.current_task().cancel()"), HasSubstr("RuntimeError"));
}

TEST(EventLoop, ServesJobsWhileAProgramSitsInAsyncioRun) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio\n"
      "ticks = 0\n"
      "async def main():\n"
      "  global ticks\n"
      "  print('go')\n"
      "  while ticks >= 0:\n"
      "    await asyncio.sleep_ms(1)\n"
      "    ticks += 1\n"
      "  return 'over'\n"
      "print(asyncio.run(main()))\n",
      "main.py");
  program->wait_for_output("go");
  EXPECT_EQ(python.value("ticks >= 0"), "True");
  EXPECT_EQ(python.value("1/0"), "ZeroDivisionError: divide by zero");
  EXPECT_EQ(python.value("asyncio.current_task()"), "RuntimeError: no running event loop");
  EXPECT_EQ(python.run("print('inner')"), "inner\n");
  EXPECT_EQ(python.runtime.activity().name, "main.py");
  EXPECT_EQ(python.run("ticks = -5"), "");
  EXPECT_EQ(program->wait().status, Status::ok);
  EXPECT_EQ(program->output(), "go\nover\n");
}

TEST(EventLoop, ABusyProgramDoesNotKeepJobsOut) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio\n"
      "busy = True\n"
      "async def spin():\n"
      "  while busy: await asyncio.sleep_ms(0)\n"
      "async def main():\n"
      "  print('go')\n"
      "  await asyncio.gather(*[spin() for i in range(5)])\n"
      "asyncio.run(main())\n");
  program->wait_for_output("go");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(python.value("busy"), "True");
  python.eval("busy = False");
  EXPECT_EQ(program->wait().status, Status::ok);
}

TEST(EventLoop, AProgramMayRunInsideAnother) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio\n"
      "stop = asyncio.Event()\n"
      "async def main():\n"
      "  print('go')\n"
      "  await stop.wait()\n"
      "  return 'outer'\n"
      "print(asyncio.run(main()))\n");
  program->wait_for_output("go");
  EXPECT_EQ(
      python.run(
          "async def inner():\n  await asyncio.sleep_ms(2)\n  return 'inner'\nprint(asyncio.run(inner()))"),
      "inner\n");
  // The outer program ends while an inner loop runs; it notices when the inner one is over.
  EXPECT_EQ(python.run("async def ender():\n  stop.set()\n  await asyncio.sleep_ms(5)\nasyncio.run(ender())"),
            "");
  EXPECT_EQ(program->wait().status, Status::ok);
  EXPECT_EQ(program->output(), "go\nouter\n");
}

TEST(EventLoop, DeepNestingStopsServing) {
  Python python;
  python.run("import asyncio\nstop = asyncio.Event()\nasync def wait():\n  print('go')\n  await stop.wait()");
  std::vector<std::pair<JobId, std::shared_ptr<testing::Result>>> programs;
  for (int i = 0; i < 4; ++i) {
    const auto result = std::make_shared<testing::Result>();
    programs.emplace_back(python.runtime.exec("asyncio.run(wait())", "script.py", result), result);
    result->wait_for_output("go");
  }
  const auto waiting = python.start_eval("'served'");
  EXPECT_FALSE(waiting->is_done());
  while (!programs.empty()) {
    const auto [job, program] = programs.back();
    programs.pop_back();
    // While the thread is on its way from an inner program to the next, this one is not what runs: ask again.
    while (!program->is_done()) python.runtime.interrupt(job);
    EXPECT_EQ(program->wait().status, Status::interrupted);
  }
  EXPECT_EQ(waiting->wait().text, "'served'");
}

TEST(EventLoop, InterruptOfAProgramSparesTheEvalItServes) {
  Python python;
  python.run("import asyncio\nasync def wait():\n  print('go')\n  await asyncio.Event().wait()");
  for (int i = 0; i < 200; ++i) {
    const auto program = std::make_shared<testing::Result>();
    const JobId job = python.runtime.exec("asyncio.run(wait())", "script.py", program);
    program->wait_for_output("go");
    const auto served = python.start_eval("sum(range(50))");
    while (!program->is_done()) python.runtime.interrupt(job);
    EXPECT_EQ(served->wait().text, "1225");
    EXPECT_EQ(program->wait().status, Status::interrupted);
  }
}

TEST(EventLoop, AProgramThatSleepsAtItsTopKeepsNobodyOut) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio, time\n"
      "ticks = 0\n"
      "async def tick():\n"
      "  global ticks\n"
      "  while True:\n"
      "    ticks += 1\n"
      "    await asyncio.sleep_ms(1)\n"
      "asyncio.create_task(tick())\n"
      "print('go')\n"
      "while ticks >= 0:\n"
      "  time.sleep(0.01)\n");
  program->wait_for_output("go");
  while (python.value("ticks > 20") != "True") {
  }
  EXPECT_EQ(python.run("ticks = -1000000"), "");
  EXPECT_EQ(program->wait().status, Status::ok);
}

TEST(EventLoop, AnInterruptEndsTheProgramThatSleepsNotTheTasks) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio, time\n"
      "async def tick():\n"
      "  while True: await asyncio.sleep(1000)\n"
      "async def say():\n"
      "  print('go')\n"
      "task = asyncio.create_task(tick())\n"
      "asyncio.create_task(say())\n"
      "time.sleep(1000)\n");
  program->wait_for_output("go");  // the other task sleeps
  while (!program->is_done()) python.runtime.interrupt();
  EXPECT_EQ(program->wait().status, Status::interrupted);
  EXPECT_EQ(python.value("task.done()"), "False");
}

// What a task or a handler does between two awaits stays in one piece.
TEST_F(Asyncio, ASleepInATaskOrAHandlerLetsNobodyIn) {
  python.run(
      "import asyncio, time, _mqb\n"
      "log = []\n"
      "async def other():\n"
      "  while len(log) < 9:\n"
      "    log.append('other')\n"
      "    await asyncio.sleep_ms(1)\n"
      "async def sleeper():\n"
      "  log.append('task')\n"
      "  time.sleep_ms(5)\n"
      "  log.append('slept')\n"
      "def handler():\n"
      "  log.append('event')\n"
      "  time.sleep_ms(5)\n"
      "  log.append('slept')\n"
      "  print('handled')\n"
      "_mqb.on_event('e', handler)\n");
  EXPECT_EQ(python.run("asyncio.create_task(sleeper()); asyncio.create_task(other()); time.sleep_ms(100)"),
            "");
  EXPECT_EQ(python.value("log[:3]"), "['task', 'slept', 'other']");
  python.run("log.clear(); asyncio.create_task(other())");
  python.runtime.post_event("e", {});
  python.watcher.wait_for_line("handled");
  EXPECT_EQ(python.value("log[log.index('event') + 1]"), "'slept'");
}

TEST(EventLoop, GoesOnServingTasksAfterTheProgram) {
  Python python;
  EXPECT_EQ(python.run("import asyncio\n"
                       "async def background():\n"
                       "  for i in range(3):\n"
                       "    await asyncio.sleep_ms(2)\n"
                       "    print('tick', i)\n"
                       "async def main(): asyncio.create_task(background())\n"
                       "asyncio.run(main())\n"),
            "");
  python.watcher.wait_for_line("tick 2");
}

TEST(EventLoop, InterruptEndsAProgramThatWaits) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio\n"
      "async def main():\n"
      "  print('go')\n"
      "  await asyncio.sleep(1000)\n"
      "try: asyncio.run(main())\n"
      "finally: print('cleaned up')\n");
  program->wait_for_output("go");
  python.runtime.interrupt();
  EXPECT_EQ(program->wait().status, Status::interrupted);
  EXPECT_EQ(program->output(), "go\ncleaned up\n");
}

TEST(EventLoop, InterruptEndsASpinningTask) {
  Python python;
  const auto program = python.start_exec(
      "import asyncio\n"
      "async def main():\n"
      "  print('go')\n"
      "  while True: pass\n"
      "asyncio.run(main())\n");
  program->wait_for_output("go");
  python.runtime.interrupt();
  EXPECT_EQ(program->wait().status, Status::interrupted);
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(EventLoop, InterruptInABackgroundTaskEndsThatTaskOnly) {
  Python python;
  python.run(
      "import asyncio\n"
      "async def good():\n"
      "  while True:\n"
      "    await asyncio.sleep_ms(1)\n"
      "    print('good')\n"
      "async def bad():\n"
      "  await asyncio.sleep_ms(1)\n"
      "  print('spinning')\n"
      "  while True: pass\n"
      "g, b = asyncio.create_task(good()), asyncio.create_task(bad())\n");
  python.watcher.wait_for_line("spinning");
  python.runtime.interrupt();
  python.watcher.wait_for_line("KeyboardInterrupt");
  EXPECT_EQ(python.value("g.done(), b.done()"), "(False, True)");
}

// Interrupted tasks may end, as any code may, but none may be forgotten: neither ended nor resumed again.
TEST(EventLoop, InterruptsAtAnyMomentLoseNoTask) {
  Python python;
  python.run(
      "import asyncio\n"
      "counts = [0] * 40\n"
      "async def count(i):\n"
      "  while True:\n"
      "    counts[i] += 1\n"
      "    await asyncio.sleep_ms(0)\n"
      "tasks = [asyncio.create_task(count(i)) for i in range(40)]\n");
  for (int i = 0; i < 60; ++i) {
    python.runtime.interrupt();
    for (int k = 0; k < 50; ++k) python.eval("1");
  }
  python.eval("before = list(counts)");
  const auto settled = python.start_exec(
      "async def settle():\n"
      "  for i in range(50): await asyncio.sleep_ms(0)\n"
      "asyncio.run(settle())\n");
  EXPECT_EQ(settled->wait().status, Status::ok) << settled->wait().text;
  EXPECT_EQ(python.value("[t.done() or c > b for t, b, c in zip(tasks, before, counts)].count(False)"), "0");
}

}  // namespace
}  // namespace mqboard::python
