/*
 * false: ends with status 1.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
int main(void)
{
	return 1;
}
