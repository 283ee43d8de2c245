/*
 * Formatted text.
 *
 * A sink counts what it is given and drops what does not fit, so no format can overrun a buffer.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/print.h"

#include "server/string.h"
#include <stdbool.h>

struct sink {
	char *buffer;
	size_t capacity, used;
};

struct conversion {
	bool left, zeros;
	uint32_t width;
	bool has_precision;
	uint32_t precision;
	bool is_long;
};

static void sink_put(struct sink *sink, char c)
{
	if (sink->used + 1 < sink->capacity)
		sink->buffer[sink->used++] = c;
}

static void sink_pad(struct sink *sink, char c, size_t have, size_t want)
{
	for (; have < want; have++)
		sink_put(sink, c);
}

static void put_text(struct sink *sink, const struct conversion *how, const char *text)
{
	size_t length =
		strnlen(text ? text : "(null)", how->has_precision ? how->precision : SIZE_MAX);

	text = text ? text : "(null)";
	if (!how->left)
		sink_pad(sink, ' ', length, how->width);
	for (size_t i = 0; i < length; i++)
		sink_put(sink, text[i]);
	if (how->left)
		sink_pad(sink, ' ', length, how->width);
}

static void put_number(struct sink *sink, const struct conversion *how, uint64_t value,
	uint32_t base, bool negative)
{
	char digits[24] = { 0 };
	size_t length = 0, total;

	do {
		digits[length++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	total = length + (negative ? 1 : 0);
	if (!how->left && !how->zeros)
		sink_pad(sink, ' ', total, how->width);
	if (negative)
		sink_put(sink, '-');
	if (!how->left && how->zeros)
		sink_pad(sink, '0', total, how->width);
	while (length > 0)
		sink_put(sink, digits[--length]);
	if (how->left)
		sink_pad(sink, ' ', total, how->width);
}

static uint32_t read_decimal(const char **format)
{
	uint32_t value = 0;

	while (**format >= '0' && **format <= '9')
		value = value * 10 + (uint32_t)(*(*format)++ - '0');
	return value;
}

/* The parts between % and the conversion's letter.  (A va_list inside a struct can be passed
   on.) */
struct argument_list {
	va_list list;
};

static struct conversion read_conversion(const char **format, struct argument_list *arguments)
{
	struct conversion how = { 0 };

	for (; **format == '-' || **format == '0'; (*format)++) {
		how.left |= **format == '-';
		how.zeros |= **format == '0';
	}
	if (**format == '*') {
		how.width = va_arg(arguments->list, uint32_t);
		(*format)++;
	} else {
		how.width = read_decimal(format);
	}
	if (**format == '.') {
		how.has_precision = true;
		(*format)++;
		if (**format == '*') {
			how.precision = va_arg(arguments->list, uint32_t);
			(*format)++;
		} else {
			how.precision = read_decimal(format);
		}
	}
	for (; **format == 'l' || **format == 'z'; (*format)++)
		how.is_long = true;
	return how;
}

static void put_signed(struct sink *sink, const struct conversion *how, int64_t value)
{
	put_number(sink, how, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0);
}

static void put_conversion(struct sink *sink, char letter, const struct conversion *how,
	struct argument_list *arguments)
{
	switch (letter) {
	case 's':
		put_text(sink, how, va_arg(arguments->list, const char *));
		break;
	case 'c':
		sink_put(sink, (char)va_arg(arguments->list, int));
		break;
	case 'd':
		put_signed(sink, how,
			how->is_long ? va_arg(arguments->list, int64_t)
				     : va_arg(arguments->list, int32_t));
		break;
	case 'u':
	case 'x':
		put_number(sink, how,
			how->is_long ? va_arg(arguments->list, uint64_t)
				     : va_arg(arguments->list, uint32_t),
			letter == 'x' ? 16 : 10, false);
		break;
	case 'p':
		sink_put(sink, '0');
		sink_put(sink, 'x');
		put_number(sink, how, (uintptr_t)va_arg(arguments->list, void *), 16, false);
		break;
	default:
		sink_put(sink, letter);
		break;
	}
}

/* See print_text. */
size_t print_text_list(char *buffer, size_t capacity, const char *format, va_list arguments)
{
	struct sink sink = { buffer, capacity, 0 };
	struct argument_list rest;

	va_copy(rest.list, arguments);
	while (*format != '\0') {
		struct conversion how;

		if (*format != '%') {
			sink_put(&sink, *format++);
			continue;
		}
		format++;
		how = read_conversion(&format, &rest);
		if (*format == '\0')
			break;
		put_conversion(&sink, *format++, &how, &rest);
	}
	va_end(rest.list);
	buffer[sink.used] = '\0';
	return sink.used;
}

/* Formats into a buffer. */
size_t print_text(char *buffer, size_t capacity, const char *format, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = print_text_list(buffer, capacity, format, arguments);
	va_end(arguments);
	return length;
}
