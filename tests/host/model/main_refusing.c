/*
 * Histories of the variant `refusing` (history.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "main.h"

int main(int argc, char **argv)
{
	return model_main(REFUSING, argc, argv);
}
