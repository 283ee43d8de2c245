/*
 * The serial port by checked port I/O.
 *
 * The transmitter holds 16 bytes and takes them in one string output when it is empty: two kernel
 * calls for
 * 16 bytes.  A port without that buffer gets one byte at a time.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "uart.h"

#include <call.h>
#include <server/print.h>
#include <server/status.h>

enum {
	UART_DATA = 0x3f8,
	UART_INTERRUPT_ENABLE = 0x3f9,
	UART_FIFO_CONTROL = 0x3fa, /* written */
	UART_INTERRUPT_ID = 0x3fa, /* read */
	UART_MODEM_CONTROL = 0x3fc,
	UART_LINE_STATUS = 0x3fd
};
enum {
	INTERRUPT_RECEIVED = 0x01,
	FIFO_ENABLE = 0x01, /* receive trigger 1 byte; no reset: a byte that is there stays */
	FIFO_WORKS = 0xc0,  /* in the interrupt id */
	MODEM_READY = 0x0b, /* DTR, RTS, and OUT2, which connects the interrupt line */
	STATUS_RECEIVED = 0x01,
	STATUS_TRANSMITTER_EMPTY = 0x20,
	STATUS_ABSENT = 0xff /* no port there: every bit reads as one */
};
#define FIFO_BYTES 16u

static uint32_t burst = 1; /* bytes the empty transmitter takes */

static void io_must(status_t status)
{
	if (status != ST_OK)
		server_panic("port I/O refused: %s", status_text(status));
}

static uint8_t in(uint16_t port)
{
	uint64_t out[3] = { 0 };

	io_must(kernel_call(CALL_IO, IO_IN8, port, 0, 0, 0, 0, out));
	return (uint8_t)out[0];
}

static void out(uint16_t port, uint8_t value)
{
	io_must(kernel_call(CALL_IO, IO_OUT8, port, value, 0, 0, 0, NULL));
}

/* See the header. */
void uart_open(void)
{
	out(UART_FIFO_CONTROL, FIFO_ENABLE);
	burst = (in(UART_INTERRUPT_ID)&FIFO_WORKS) == FIFO_WORKS ? FIFO_BYTES : 1;
	out(UART_MODEM_CONTROL, MODEM_READY);
	out(UART_INTERRUPT_ENABLE, INTERRUPT_RECEIVED);
}

/* See the header. */
bool uart_read(uint8_t *byte)
{
	uint8_t status = in(UART_LINE_STATUS);

	if (status == STATUS_ABSENT || !(status & STATUS_RECEIVED))
		return false;
	*byte = in(UART_DATA);
	return true;
}

/* `bytes` bytes of the message page, at most a burst. */
static void write_burst(uint32_t bytes)
{
	while (!(in(UART_LINE_STATUS)&STATUS_TRANSMITTER_EMPTY))
		continue;
	io_must(kernel_call(CALL_IO, IO_OUTS8, UART_DATA, bytes, 0, 0, 0, NULL));
}

/* See the header. */
void uart_write(const char *text, uint32_t bytes)
{
	char *page = MESSAGE_PAGE;
	uint32_t filled = 0, i = 0;
	bool returned = false; /* the return for text[i] is out */

	while (i < bytes) {
		if (text[i] == '\n' && !returned) {
			page[filled++] = '\r';
			returned = true;
		} else {
			page[filled++] = text[i++];
			returned = false;
		}
		if (filled == burst || i == bytes) {
			write_burst(filled);
			filled = 0;
		}
	}
}
