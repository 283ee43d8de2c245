/*
 * Histories of the variant `scarce` (history.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "main.h"

int main(int argc, char **argv)
{
	return model_main(SCARCE, argc, argv);
}
