/*
 * What the compiler calls at undefined behaviour, for kernel and servers: a report and the end.
 *
 * The checks are the compiler's (-fsanitize=undefined, not recoverable); each of its calls passes a
 * record that begins with the place in the source.  The variant's flags say how to end:
 * UNDEFINED(format, ...) is panic() or server_panic().
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include UNDEFINED_HEADER
#include <stdint.h>

/* The head of every record that the compilers pass. */
struct undefined {
	const char *file;
	uint32_t line, column;
};

static _Noreturn void report(const struct undefined *where, const char *what)
{
	UNDEFINED("undefined behaviour: %s at %s:%u:%u", what, where->file, where->line,
		where->column);
}

/* The compiler knows the names; nobody else calls these. */
#define HANDLER(name, what)                                                  \
	_Noreturn void __ubsan_handle_##name(const struct undefined *where); \
	_Noreturn void __ubsan_handle_##name(const struct undefined *where)  \
	{                                                                    \
		report(where, what);                                         \
	}

HANDLER(add_overflow_abort, "addition overflows")
HANDLER(sub_overflow_abort, "subtraction overflows")
HANDLER(mul_overflow_abort, "multiplication overflows")
HANDLER(negate_overflow_abort, "negation overflows")
HANDLER(divrem_overflow_abort, "division by zero, or it overflows")
HANDLER(shift_out_of_bounds_abort, "shift by too much, or of a negative number")
HANDLER(out_of_bounds_abort, "index outside the array")
HANDLER(pointer_overflow_abort, "pointer arithmetic wraps")
HANDLER(type_mismatch_v1_abort, "null or misaligned pointer, or too small an object")
HANDLER(load_invalid_value_abort, "a value that the type does not have")
HANDLER(builtin_unreachable, "a place that cannot be reached")
HANDLER(missing_return, "no value returned")
HANDLER(nonnull_arg_abort, "null argument")
HANDLER(invalid_builtin_abort, "zero for a builtin that counts bits")
HANDLER(vla_bound_not_positive_abort, "array length not positive")
