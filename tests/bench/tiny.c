/*
 * The small static program of T11.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
int main(void)
{
	return 0;
}
