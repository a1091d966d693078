#!/usr/bin/env python3
"""The tour that README.md offers first."""
import subprocess
import unittest

from harness import ROOT


class Demo(unittest.TestCase):
    def test_the_tour_shows_the_main_job_and_ends_with_status_0(self):
        tour = subprocess.run([ROOT / "scripts/demo", "--once"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=280)
        self.assertEqual(tour.returncode, 0, tour.stdout[-4000:] + tour.stderr[-4000:])
        for shown in ("$ mqboard eval '45+876'\n921\n", "blinky: DARK", "identical", "OSError: [Errno 2] ENOENT",
                      "KeyboardInterrupt"):
            self.assertIn(shown, tour.stdout)


if __name__ == "__main__":
    unittest.main()
