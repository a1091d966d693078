#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "python/testing.hpp"

namespace mqboard::python {
namespace {

using ::testing::HasSubstr;
using testing::Python;

TEST(Files, AreWrittenToAndReadFromFlash) {
  Python python;
  EXPECT_EQ(python.run("with open('a.txt', 'w') as f: f.write('hello\\n')\nprint(open('/a.txt').read())"),
            "hello\n\n");
  EXPECT_EQ(python.flash.text("/a.txt"), "hello\n");
  EXPECT_EQ(python.run("f = open('a.txt', 'ab'); f.write(bytes([0, 255])); f.close()"), "");
  EXPECT_EQ(python.flash.text("/a.txt"), std::string("hello\n\0\xff", 8));
  EXPECT_EQ(python.run(
                "f = open('a.txt', 'rb+'); f.seek(2); f.write(b'LL'); f.seek(0); print(f.read()); f.close()"),
            "b'heLLo\\n\\x00\\xff'\n");
  EXPECT_EQ(python.run("f = open('a.txt', 'rb'); print(f.seek(-2, 2), f.tell(), f.read(1)); f.close()"),
            "6 6 b'\\x00'\n");
}

TEST(Files, ErrorsAreOSErrorsWithLinuxErrno) {
  Python python(Limits{.open_files = 4});
  python.flash.put("/file", "x");
  python.run("import os\nos.mkdir('dir')\nopen('dir/inside', 'w').close()\nimport errno");
  const auto error = [&](const std::string& expression) {
    return python.run("try:\n  " + expression + "\n  print('no error')\nexcept OSError as e: print(e.errno)");
  };
  EXPECT_EQ(error("open('missing')"), "2\n");
  EXPECT_EQ(error("open('missing/x', 'w')"), "2\n");
  EXPECT_EQ(error("open('file/x')"), "20\n");
  EXPECT_EQ(error("open('dir', 'w')"), "21\n");
  EXPECT_EQ(error("os.mkdir('dir')"), "17\n");
  EXPECT_EQ(error("os.rmdir('dir')"), "39\n");
  EXPECT_EQ(error("os.rmdir('file')"), "20\n");
  EXPECT_EQ(error("os.remove('dir')"), "21\n");
  EXPECT_EQ(error("os.remove('missing')"), "2\n");
  EXPECT_EQ(error("os.stat('missing')"), "2\n");
  EXPECT_EQ(error("os.listdir('missing')"), "2\n");
  EXPECT_EQ(error("os.rename('missing', 'x')"), "2\n");
  EXPECT_EQ(error("os.chdir('file')"), "20\n");
  EXPECT_EQ(error("os.stat('" + std::string(300, 'n') + "')"), "36\n");
  EXPECT_EQ(error("open('../outside')"), "13\n");
  EXPECT_EQ(error("open('dir/../../outside')"), "13\n");
  EXPECT_EQ(error("os.listdir('..')"), "13\n");
  EXPECT_EQ(error("os.rename('file', '../x')"), "13\n");
  EXPECT_EQ(error("open('/rom/time.py', 'w')"), "30\n");
  EXPECT_EQ(error("os.mkdir('/rom/x')"), "30\n");
  EXPECT_EQ(error("os.remove('/rom/time.py')"), "30\n");
  EXPECT_EQ(error("os.rename('file', '/rom/x')"), "30\n");
  EXPECT_EQ(error("fs = [open('file') for i in range(5)]"), "24\n");
}

TEST(Files, QuotaAndMediumErrorsReachThePython) {
  Python python;
  EXPECT_THAT(python.run("f = open('big', 'wb')\nfor i in range(1000): f.write(bytes(10000))"),
              HasSubstr("OSError: 28"));
  python.run("f.close()\nimport os\nos.remove('big')");
  python.flash.failing_writes = true;
  EXPECT_THAT(python.run("open('x', 'w').write('y')"), HasSubstr("OSError: [Errno 5] EIO"));
}

TEST(Files, DirectoriesAreListedAsTheOperatorsToolsWantThem) {
  Python python;
  python.flash.put("/b.txt", "12345");
  EXPECT_EQ(
      python.run("import uos\nuos.mkdir('a')\nprint(list(uos.ilistdir('/')))\nprint(list(uos.ilistdir('a')), "
                 "uos.listdir())"),
      "[('a', 16384, 0, 0), ('b.txt', 32768, 0, 5)]\n[] ['a', 'b.txt']\n");
  EXPECT_EQ(python.run("uos.rename('b.txt', 'a/c'); print(uos.stat('a/c')[6], uos.stat('a')[0] & 0xf000); "
                       "uos.remove('a/c'); uos.rmdir('a')"),
            "5 16384\n");
  EXPECT_EQ(python.run("print(uos.statvfs('/')[0] * uos.statvfs('/')[2])"), "4194304\n");
}

TEST(Files, WorkingDirectoryHoldsForRelativePaths) {
  Python python;
  EXPECT_EQ(python.run("import os\nos.mkdir('d')\nos.chdir('d')\nopen('f', 'w').close()\nprint(os.getcwd(), "
                       "os.listdir(), os.listdir('..'))"),
            "/d ['f'] ['d']\n");
  EXPECT_EQ(python.flash.text("/d/f"), "");
}

TEST(Files, PathHelpersWork) {
  Python python;
  python.flash.put("/f", "");
  EXPECT_EQ(python.run("from os import path\nprint(path.exists('f'), path.isfile('f'), path.isdir('/'), "
                       "path.exists('g'))\n"
                       "print(path.join('a', 'b'), path.split('/a/b'), path.splitext('x.py'), "
                       "path.normpath('/a/../b/./c'))"),
            "True True True False\na/b ('/a', 'b') ('x', '.py') /b/c\n");
}

TEST(Import, FindsModulesOnFlashAndInLib) {
  Python python;
  python.flash.put("/app.py", "import helper\nprint('app', __name__, helper.x)");
  python.run("import os; os.mkdir('lib'); os.mkdir('pack')");
  python.flash.put("/lib/helper.py", "x = 5");
  python.flash.put("/pack/__init__.py", "from .part import y");
  python.flash.put("/pack/part.py", "y = 6");
  EXPECT_EQ(python.run("import app, pack; print(pack.y)"), "app app 5\n6\n");
  EXPECT_EQ(python.value("__import__('missing')"), "ImportError: no module named 'missing'");
}

TEST(Import, ModulesInRomReplaceFrozenOnesUnderOldNamesToo) {
  Python python;
  EXPECT_EQ(python.run("import asyncio, uasyncio, time, utime, hashlib, uhashlib, os, uos\n"
                       "print(asyncio.__file__, uasyncio.Loop is asyncio.Loop, utime is time, uhashlib is "
                       "hashlib, uos is os)"),
            "/rom/asyncio/__init__.py True True True True\n");
  EXPECT_EQ(
      python.run(
          "import ubinascii, ujson, ustruct, ure, uio, ucollections, urandom, uerrno, uheapq, uselect, usys\n"
          "print(ubinascii.hexlify(b'ab'))"),
      "b'6162'\n");
}

TEST(Import, OldNamesWorkBeforeTheNewOnesWereImported) {
  EXPECT_EQ(
      Python().run("import uhashlib, ubinascii\nprint(ubinascii.hexlify(uhashlib.sha1(b'abc').digest()))"),
      "b'a9993e364706816aba3e25717850c26c9cd0d89d'\n");
  EXPECT_EQ(Python().run("import uos\nprint(list(uos.ilistdir('/')), len(uos.urandom(5)))"), "[] 5\n");
  EXPECT_EQ(Python().run("import utime\nprint(utime.time() > 1600000000, type(utime.time()))"),
            "True <class 'int'>\n");
}

TEST(Hashlib, GivesTheStandardDigests) {
  Python python;
  python.run(
      "import hashlib, binascii\ndef h(f, *parts):\n  d = f()\n  for p in parts: d.update(p)\n  return "
      "binascii.hexlify(d.digest()).decode()");
  EXPECT_EQ(python.value("h(hashlib.sha1)"), "'da39a3ee5e6b4b0d3255bfef95601890afd80709'");
  EXPECT_EQ(python.value("h(hashlib.sha1, b'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')"),
            "'84983e441c3bd26ebaae4aa1f95129e5e54670f1'");
  EXPECT_EQ(python.value("h(hashlib.sha1, *[b'a' * 1000] * 1000)"),
            "'34aa973cd4c4daa4f61eeb2bdbad27316534016f'");
  EXPECT_EQ(
      python.value("h(hashlib.sha1, b'a' * 55) + h(hashlib.sha1, b'a' * 56) + h(hashlib.sha1, b'a' * 64)"),
      "'c1c8bbdc22796e28c0e15163d20899b65621d65a"
      "c2db330f6083854c99d4b5bfb6e8f29f201be699"
      "0098ba824b5c16427bd7a1122a5a442a25ec644d'");
  EXPECT_EQ(python.value("h(hashlib.md5)"), "'d41d8cd98f00b204e9800998ecf8427e'");
  EXPECT_EQ(python.value("h(hashlib.md5, b'message ', b'digest')"), "'f96b697d7cb7938d525a2f31aaf161d0'");
  EXPECT_EQ(python.value("h(hashlib.sha256, b'abc')"),
            "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'");
}

}  // namespace
}  // namespace mqboard::python
