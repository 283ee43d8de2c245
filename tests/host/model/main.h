/*
 * The model's test programs: one for each variant (main.c).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MODEL_MAIN_H
#define MODEL_MAIN_H

#include "history.h"

int model_main(enum variant variant, int argc, char **argv);

#endif
