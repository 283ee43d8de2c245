/*
 * What a system can tell about its own work for this program: nothing on other systems
 * (host/report_host.c), the pager's figures on Faultline (report_faultline.c).  All of it goes to
 * standard error, each line behind "pager: ".
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef SNAPSHOT_REPORT_H
#define SNAPSHOT_REPORT_H

/* Before the first fork. */
void report_begin(void);
/* In the parent, right before and right behind each fork. */
void report_fork_begin(void);
void report_fork_end(void);
/* Behind the last; prints. */
void report_end(void);

#endif
