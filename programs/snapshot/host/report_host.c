/*
 * The report on a system that is not Faultline: there is none.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../report.h"

void report_begin(void)
{
}

void report_fork_begin(void)
{
}

void report_fork_end(void)
{
}

void report_end(void)
{
}
