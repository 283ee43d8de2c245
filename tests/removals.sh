#!/bin/sh
# What the lessons and the removed flushes take out of the source is still there, just once.  (Whether their tests then fail is
# tried by tests/lessons/run and tests/variants/shadow/flushes, which take too long for every day.)
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/.."
status=0
tests/lessons/run -l || status=1
tests/variants/shadow/flushes -l > /dev/null || status=1
exit $status
