/*
 * The kernel's log: formatted text to the serial port (and port 0xe9, where an emulator listens).
 *
 * Nothing is buffered, so what was logged is out even if the next instruction kills the machine.
 * Works without interrupts and memory, from the first line of kernel_main on.  A machine without
 * a serial port (its status reads as all ones) loses the text but goes on.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "log.h"
#include "boot.h"
#include "machine/cpu.h"
#include "machine/ports.h"
#include "string.h"
#include <stdarg.h>
#include <stdbool.h>

#define STATUS_ROOM   0x20 /* a byte can be written */
#define STATUS_SENT   0x40 /* everything is on the line */
#define STATUS_ABSENT 0xff
#define WAIT_LIMIT    1000000u /* reads; a byte takes less than 0.1 ms at 115200 baud */

static bool serial_present;

void log_init(void)
{
	cpu_out8(PORT_COM1 + UART_INTERRUPTS, 0);
	cpu_out8(PORT_COM1 + UART_LINE, 0x80); /* divisor: 1 = 115200 baud */
	cpu_out8(PORT_COM1 + UART_DATA, 1);
	cpu_out8(PORT_COM1 + UART_INTERRUPTS, 0);
	cpu_out8(PORT_COM1 + UART_LINE, 3); /* 8 bits, no parity, 1 stop bit */
	cpu_out8(PORT_COM1 + UART_FIFO, 0xc7);
	cpu_out8(PORT_COM1 + UART_MODEM, 3);
	serial_present = cpu_in8(PORT_COM1 + UART_STATUS) != STATUS_ABSENT;
}

static void serial_wait(uint8_t bit)
{
	for (uint32_t i = 0; i < WAIT_LIMIT; i++)
		if (cpu_in8(PORT_COM1 + UART_STATUS) & bit)
			return;
}

static void serial_byte(uint8_t byte)
{
	serial_wait(STATUS_ROOM);
	cpu_out8(PORT_COM1 + UART_DATA, byte);
}

void log_drain(void)
{
	if (serial_present)
		serial_wait(STATUS_SENT);
}

void log_write(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		cpu_out8(PORT_DEBUG, (uint8_t)text[i]);
		if (!serial_present)
			continue;
		if (text[i] == '\n')
			serial_byte('\r');
		serial_byte((uint8_t)text[i]);
	}
}

struct field {
	uint32_t width;
	char fill;
	bool is_long;
};

static void print_padded(const char *text, size_t bytes, const struct field *field)
{
	for (size_t i = bytes; i < field->width; i++)
		log_write(&field->fill, 1);
	log_write(text, bytes);
}

static void print_number(uint64_t value, uint32_t base, bool negative, const struct field *field)
{
	char digits[24];
	uint32_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		digits[--at] = '-';
	print_padded(&digits[at], sizeof(digits) - at, field);
}

static void print_signed(int64_t value, const struct field *field)
{
	print_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0, field);
}

/* Reads 0, width and l; returns what follows the %. */
static const char *read_field(const char *format, struct field *field)
{
	*field = (struct field){ .fill = ' ' };
	if (*format == '0') {
		field->fill = '0';
		format++;
	}
	for (; *format >= '0' && *format <= '9'; format++)
		field->width = field->width * 10 + (uint32_t)(*format - '0');
	for (; *format == 'l'; format++)
		field->is_long = true;
	return format;
}

static void print_text(const char *text, const struct field *field)
{
	if (!text)
		text = "(none)";
	print_padded(text, strlen(text), field);
}

static uint64_t next_unsigned(const struct field *field, va_list *list)
{
	return field->is_long ? va_arg(*list, uint64_t) : va_arg(*list, uint32_t);
}

static void print_argument(char conversion, struct field *field, va_list *list)
{
	char letter;

	switch (conversion) {
	case 's':
		print_text(va_arg(*list, const char *), field);
		break;
	case 'c':
		letter = (char)va_arg(*list, int);
		print_padded(&letter, 1, field);
		break;
	case 'd':
		print_signed(field->is_long ? va_arg(*list, int64_t) : va_arg(*list, int), field);
		break;
	case 'u':
		print_number(next_unsigned(field, list), 10, false, field);
		break;
	case 'p':
		log_write("0x", 2);
		field->is_long = true;
		print_number(next_unsigned(field, list), 16, false, field);
		break;
	case 'x':
		print_number(next_unsigned(field, list), 16, false, field);
		break;
	default:
		log_write(&conversion, 1);
	}
}

/* Prints like log_print, from an argument list. */
void log_print_list(const char *format, va_list *list)
{
	struct field field;

	for (;;) {
		size_t plain = 0;

		while (format[plain] && format[plain] != '%')
			plain++;
		log_write(format, plain);
		format += plain;
		if (!*format)
			return;
		format = read_field(format + 1, &field);
		if (!*format)
			return;
		print_argument(*format, &field, list);
		format++;
	}
}

void log_print(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log_print_list(format, &list);
	va_end(list);
}
