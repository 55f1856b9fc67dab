"""Run with: python3 -m unittest"""

import unittest

from app import handler


class HandlerTest(unittest.TestCase):
    def test_greets(self):
        for event, want in (({}, "hello world"), ({"name": "lamb"}, "hello lamb")):
            self.assertEqual(handler(event, None), {"greeting": want})


if __name__ == "__main__":
    unittest.main()
