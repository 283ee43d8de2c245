/*
 * Status codes as text.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/status.h"

/* The sentence for people; never NULL. */
const char *status_text(status_t status)
{
	switch (status) {
#define STATUS_CASE(name, value, text) \
	case ST_##name:                \
		return text;
		STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
	}
	return "unknown status";
}
