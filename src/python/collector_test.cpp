// Collections at any depth of calls, and what a fixed heap means for programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "python/testing.hpp"

namespace mqboard::python {
namespace {

using ::testing::HasSubstr;
using testing::Python;
using Status = Outcome::Status;

constexpr std::size_t kSmallHeap = 128 * 1024;

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

// Touches much of the language; its output depends on all of it. Runs for a while, so that collections strike
// everywhere.
constexpr const char* kWorkload = R"py(
import json, re, struct, heapq, binascii, hashlib, random, collections
random.seed(7)
out = []

class Node:
    count = 0
    def __init__(self, value, left=None, right=None):
        self.value, self.left, self.right = value, left, right
        Node.count += 1
    def __iter__(self):
        if self.left: yield from self.left
        yield self.value
        if self.right: yield from self.right
    def __repr__(self):
        return 'Node(%r)' % self.value
    def __lt__(self, other):
        return self.value < other.value

def insert(tree, value):
    if tree is None: return Node(value)
    if value < tree.value: tree.left = insert(tree.left, value)
    else: tree.right = insert(tree.right, value)
    return tree

def trees():
    tree = None
    values = [random.getrandbits(20) for _ in range(60)]
    for v in values: tree = insert(tree, v)
    assert list(tree) == sorted(values)
    return sum(tree) & 0xffff, repr(tree)

def closures(n):
    fs = []
    for i in range(n):
        def f(x, i=i, text='t%d' % i):
            def g(y): return [x, y, i, text]
            return g
        fs.append(f)
    return [f(k)(k + 1) for k, f in enumerate(fs)][-1]

def generators():
    def count(n):
        for i in range(n):
            got = yield str(i) * 3
            if got: yield got.upper()
    g = count(10)
    first = next(g)
    return first, g.send('sent'), list(g)[-1]

def big_ints():
    a = 1
    for i in range(1, 80): a = a * i + i
    b = a ** 3 // (a + 1)
    return (a * b) % 1000003, len(str(b)), hex(a & b)[-8:], pow(3, 1000, a) & 0xffffff

def exceptions():
    log = []
    class Mine(Exception):
        pass
    def thrower(depth):
        try:
            if depth == 0: raise Mine('deep', [depth] * 3)
            thrower(depth - 1)
        except KeyError:
            log.append('wrong')
        finally:
            log.append(depth)
    try:
        thrower(12)
    except Mine as e:
        log.append(e.args)
    try:
        try: {}['missing']
        except KeyError as e: raise ValueError('%r' % e)
    except ValueError as e: log.append(str(e))
    class Context:
        def __enter__(self): log.append('in'); return self
        def __exit__(self, kind, value, trace): log.append(kind.__name__); return True
    with Context(): [].pop()
    return log

def texts():
    words = ('the quick brown fox jumps over the lazy dog ' * 4).split()
    table = {}
    for w in words: table.setdefault(w[0], []).append(''.join(reversed(w.upper())))
    joined = ','.join(sorted([k + ':' + '|'.join(v) for k, v in table.items()]))
    found = re.search('([a-z]+)@([a-z.]+)', 'x y me@example.org z')
    return joined, found.group(1), found.group(2), '{:>8}|{:<5}|{:^7}|{:08.3f}'.format('r', 'l', 'c', 3.14159), \
        'h\u00e9\u20ac'.encode(), re.sub('[aeiou]', lambda m: m.group(0).upper(), words[1])

def data():
    doc = {'list': [1, -2, 3.5, None, True, 'x\n"\u20ac'], 'deep': {'a': {'b': {'c': [[], {}, [[]]]}}}, 'n': 1 << 40}
    assert json.loads(json.dumps(doc)) == doc
    packed = struct.pack('<IhbfQ', 0xdeadbeef, -2, 7, 1.5, 1 << 60)
    heap = []
    for i in range(50): heapq.heappush(heap, (random.getrandbits(10), i, Node(i)))
    order = [heapq.heappop(heap)[0] for _ in range(50)]
    assert order == sorted(order)
    od = collections.OrderedDict((str(i), i) for i in range(20))
    q = collections.deque((), 5)
    for i in range(9): q.append([i])
    P = collections.namedtuple('P', ('x', 'y'))
    return (struct.unpack('<IhbfQ', packed), binascii.hexlify(packed), list(od)[-1], q.popleft(), P(1, 'y'),
            {x: {y for y in range(x)} for x in range(5)}, sorted(set('hello')),
            memoryview(bytearray(b'abcdef'))[2:4][0],
            binascii.hexlify(hashlib.sha1(packed * 9).digest()))

for round in range(ROUNDS):
    for f in (trees, lambda: closures(30), generators, big_ints, exceptions, texts, data):
        out.append(repr(f()))
        if len(out) > 70: del out[:-70]
digest = hashlib.sha256()
for o in out: digest.update(o.encode())
print(binascii.hexlify(digest.digest()).decode(), Node.count)
)py";

std::string workload(Python& python, int rounds) {
  return python.run("ROUNDS = " + std::to_string(rounds) + kWorkload);
}

TEST(Collector, CollectionsAtOddMomentsChangeNoResult) {
  Python unhurried(Limits{.heap_bytes = 8 * 1024 * 1024});
  const std::string expected = workload(unhurried, 12);
  EXPECT_EQ(expected.size(), 64 + 6u) << expected;
  for (const int threshold : {16, 100, 1000, 7919}) {
    Python hurried(Limits{.heap_bytes = 8 * 1024 * 1024});
    hurried.run("import gc\ngc.threshold(" + std::to_string(threshold) + ")");
    EXPECT_EQ(workload(hurried, 12), expected) << "threshold " << threshold;
  }
}

TEST(Collector, AMixedWorkloadRunsInASmallHeap) {
  Python python(Limits{.heap_bytes = kSmallHeap});
  Python unhurried(Limits{.heap_bytes = 8 * 1024 * 1024});
  EXPECT_EQ(workload(python, 60), workload(unhurried, 60));
}

TEST(Collector, ALongSynchronousCallMakesAnyAmountOfGarbage) {
  Python python(Limits{.heap_bytes = kSmallHeap});
  EXPECT_EQ(
      python.run(
          "def f():\n  n = 0\n  for i in range(300000):\n    n += len([i] * 100)\n  return n\nprint(f())"),
      "30000000\n");
}

TEST(Collector, AnEndlessLoopOfGarbageKeepsMemoryFlat) {
  Python python;
  const auto program = python.start_exec(
      "def f():\n"
      "  n = 0\n"
      "  while True:\n"
      "    for i in range(20000):\n"
      "      a = [i, str(i), {'k': i}, b'x' * (i % 500), lambda: i]\n"
      "    n += 1\n"
      "    print('round', n)\n"
      "f()\n");
  program->wait_for_output("round 3\n");
  const std::size_t before = resident_bytes();
  program->wait_for_output("round 20\n");
  EXPECT_LT(resident_bytes(), before + 1024 * 1024);
  python.runtime.interrupt();
  EXPECT_EQ(program->wait().status, Status::interrupted);
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(Heap, AtTheLimitRaisesMemoryErrorAndStaysUsable) {
  Python python(Limits{.heap_bytes = kSmallHeap});
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(python.run("pad = [bytes(1) for i in range(100)]\nl = []\nwhile True: l.append(bytes(100))"),
                HasSubstr("MemoryError"));
    // The heap is still full of what `l` holds; an eval has memory of its own.
    EXPECT_EQ(python.value("len(l) > 100"), "True");
    EXPECT_EQ(python.eval("l = None").status, Status::ok);
    EXPECT_EQ(python.run("print(sum([i for i in range(1000)]))"), "499500\n");
  }
  EXPECT_THAT(python.value("bytes(1 << 20)"), HasSubstr("MemoryError"));
  EXPECT_THAT(python.value("'x' * (1 << 29)"), HasSubstr("MemoryError"));
  EXPECT_EQ(python.value("1+1"), "2");
}

TEST(Heap, IsAsBigAsItWasMade) {
  Python python(Limits{.heap_bytes = 4 * 1024 * 1024});
  EXPECT_EQ(python.value("len(bytes(3 << 20))"), "3145728");
  python.value("__import__('gc').collect()");
  EXPECT_THAT(python.value("__import__('gc').mem_free() > 3900000"), "True");
}

TEST(Heap, StatisticsAreThoseOfPython) {
  Python python;
  python.run("import gc\ngc.collect()");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  MemoryStats stats;
  do {  // updated once a second
    python.run("b = bytes(100000)");
    stats = python.runtime.memory();
    std::this_thread::yield();
  } while (stats.heap_used_bytes < 100'000 && std::chrono::steady_clock::now() < deadline);
  EXPECT_GT(stats.heap_used_bytes, 100'000u);
  EXPECT_NEAR(static_cast<double>(stats.heap_used_bytes + stats.heap_free_bytes), 512 * 1024, 16 * 1024);
  EXPECT_GT(stats.collections, 0u);
}

TEST(Recursion, WithoutEndRaisesRuntimeErrorAndStaysUsable) {
  Python python;
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(python.run("def f(n): return f(n + 1)\nf(0)"), HasSubstr("RuntimeError"));
  }
  EXPECT_EQ(python.run("def f(n): return n and 1 + f(n - 1)\nprint(f(60))"), "60\n");
}

TEST(Recursion, InNativeCodeEndsInAnErrorNotInACrash) {
  Python python;
  EXPECT_THAT(python.run("l = []\nfor i in range(3000): l = [l]\nprint(l)"), HasSubstr("Error"));
  EXPECT_THAT(python.run("class A:\n  def __repr__(self): return repr(self)\nrepr(A())"),
              HasSubstr("RuntimeError"));
  EXPECT_THAT(python.run("class A:\n  def __getattr__(self, n): return getattr(self, n + 'x')\nA().b"),
              HasSubstr("Error"));
  EXPECT_THAT(python.run("import json\njson.loads('[' * 100000)"), HasSubstr("Error"));
  EXPECT_THAT(python.run("import re\nre.match('(a*)*$', 'a' * 5000 + 'b')"), HasSubstr("Error"));
  EXPECT_THAT(python.eval(std::string(20000, '(')).text, HasSubstr("Error"));
  EXPECT_EQ(python.value("1+1"), "2");
  EXPECT_TRUE(python.watcher.crashes().empty()) << python.watcher.crashes()[0].cause;
}

}  // namespace
}  // namespace mqboard::python
