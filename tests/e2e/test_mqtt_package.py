"""libmqboard-mqtt as another project uses it: installed into a prefix of its own, found by CMake and by pkg-config,
built and run against a real mosquitto. The outside project is examples/mqtt."""
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import BIN, ROOT, EndToEnd

EXAMPLES = ROOT / "examples/mqtt"
BUILD_DEADLINE_S = 300


class MqttPackage(EndToEnd):
    def command(self, *words, **options):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False,
                              timeout=BUILD_DEADLINE_S, **options)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self):
        """The prefix; moved after the installation, since packages are unpacked elsewhere than they were built for."""
        first, prefix = self.directory / "first", self.directory / "prefix"
        self.command("cmake", "--install", BIN.parent, "--prefix", first, "--component", "mqtt_dev")
        shutil.move(first, prefix)
        return prefix

    def assert_greets(self, program):
        out = self.command(program, "--server", self.broker().url, "--count", 1)
        self.assertEqual(out, "greetings/world: Hello World #1!\n")

    def test_holds_archive_headers_metadata_and_copyright_only(self):
        prefix = self.install()
        files = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file()}
        headers = {f"include/{path.relative_to(ROOT / 'include')}" for path in (ROOT / "include").rglob("*.hpp")}
        libdir = next(path.parent for path in map(pathlib.Path, files) if path.name == "libmqboard-mqtt.a")
        cmake_files = {name for name in files if name.startswith(f"{libdir}/cmake/mqboard/")}
        self.assertEqual(files, headers | cmake_files | {
            f"{libdir}/libmqboard-mqtt.a", f"{libdir}/pkgconfig/mqboard-mqtt.pc",
            "share/doc/libmqboard-mqtt-dev/copyright"})
        self.assertIn(f"{libdir}/cmake/mqboard/mqboardConfig.cmake", cmake_files)

    def test_find_package(self):
        prefix, build = self.install(), self.directory / "build"
        self.command("cmake", "-S", EXAMPLES, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                     f"-DCMAKE_PREFIX_PATH={prefix}")
        self.command("cmake", "--build", build, "--target", "mqtt_hello_world")
        self.assert_greets(build / "mqtt_hello_world")

    def test_pkg_config(self):
        prefix = self.install()
        config = next(prefix.rglob("mqboard-mqtt.pc")).parent
        environment = os.environ | {"PKG_CONFIG_PATH": str(config)}
        flags = self.command("pkg-config", "--cflags", "--libs", "mqboard-mqtt", env=environment).split()
        program = self.directory / "hello"
        self.command("g++", "-std=c++23", EXAMPLES / "hello_world.cpp", *flags, "-o", program)
        self.assert_greets(program)


if __name__ == "__main__":
    unittest.main()
