/*
 * Time: the TSC as the clock, the local APIC's one-shot timer as the alarm.
 *
 * Both are measured at boot against channel 0 of the 8254, whose interrupt is masked.  The three
 * clocks are read side by side, early and 1 ms later, each time as often as it takes to get one
 * reading that nothing came between (on an emulator, the host).  What happens between the two does
 * not matter, since all three go on.
 *
 * Where the CPU has it, the alarm compares with the TSC itself (TSC-deadline mode); else the APIC
 * timer counts 32 bits down, and an alarm further away than the counter reaches comes early
 * (timer.h).
 *
 * The local APIC also passes the 8259's interrupts on (LINT0), as after a reset.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "timer.h"
#include "boot.h"
#include "log.h"
#include "machine/cpu.h"
#include "machine/ports.h"
#include <faultline/fault.h>
#include <stdbool.h>

#define APIC_BASE_EXTENDED (1ull << 10) /* x2APIC mode */
#define APIC_BASE_ENABLE   (1ull << 11)

/* Registers of the local APIC, byte offsets. */
enum {
	APIC_TASK_PRIORITY = 0x80,
	APIC_END = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0
};
#define APIC_SOFTWARE_ENABLE (1u << 8)
#define LVT_NMI		     (4u << 8)
#define LVT_EXTERNAL	     (7u << 8)
#define LVT_MASKED	     (1u << 16)
#define LVT_TSC_DEADLINE     (2u << 17)
#define DIVIDE_BY_1	     0xbu

#define PIT_HZ		  1193182u
#define CALIBRATION_TICKS 1193u /* 1 ms */
#define READINGS	  8	/* of which the quickest counts */
#define ATTEMPTS	  20
#define LOOKS_MAX	  100000u /* at a counter that should move, before it is called broken */
#define PIT_ONE_SHOT	  0x30	  /* channel 0: count down once (55 ms), then raise the output */
#define PIT_LATCH	  0xc2	  /* channel 0: the next reads give status, count low, count high */
#define PIT_STATUS_OUTPUT 0x80
#define PIT_STATUS_NULL	  0x40 /* the count is not loaded yet */

#define NANOSECONDS 1000000000ull

static uint64_t nanoseconds_per_tick;  /* 32.32 fixed point */
static uint64_t ticks_per_nanosecond;  /* the TSC's, 32.32 */
static uint64_t counts_per_nanosecond; /* the APIC timer's, 32.32 */
static uint64_t armed = UINT64_MAX;

static volatile uint32_t *apic_register(uint32_t offset)
{
	return (volatile uint32_t *)(LAYOUT_KERNEL_WINDOW + offset);
}

static uint64_t scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)(((unsigned __int128)value * factor) >> 32);
}

/* How many per nanosecond, 32.32 fixed point, at so many a second. */
static uint64_t per_nanosecond(uint64_t hertz)
{
	return ((hertz / NANOSECONDS) << 32) + ((hertz % NANOSECONDS) << 32) / NANOSECONDS;
}

/* Both rates, measured over the same interval. */
struct rates {
	uint64_t tsc, counts;
};

static void apic_init(void)
{
	uint64_t base = cpu_rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_EXTENDED) /* the way back leads through "off" */
		cpu_wrmsr(MSR_APIC_BASE, base & ~(APIC_BASE_EXTENDED | APIC_BASE_ENABLE));
	cpu_wrmsr(MSR_APIC_BASE, (base & ~APIC_BASE_EXTENDED) | APIC_BASE_ENABLE);
	*apic_register(APIC_SPURIOUS) = APIC_SOFTWARE_ENABLE | TIMER_SPURIOUS_VECTOR;
	*apic_register(APIC_TASK_PRIORITY) = 0;
	*apic_register(APIC_LVT_LINT0) = LVT_EXTERNAL;
	*apic_register(APIC_LVT_LINT1) = LVT_NMI;
	*apic_register(APIC_LVT_ERROR) = LVT_MASKED;
	*apic_register(APIC_TIMER_DIVIDE) = DIVIDE_BY_1;
	*apic_register(APIC_LVT_TIMER) = LVT_MASKED | VECTOR_TIMER;
}

/* The three clocks at one moment. */
struct reading {
	uint64_t tsc, width; /* width: of the moment, in ticks of the TSC */
	uint32_t counts, pit;
	uint8_t pit_status;
};

static void pit_start(void)
{
	cpu_out8(PORT_PIT_COMMAND, PIT_ONE_SHOT);
	cpu_out8(PORT_PIT_CHANNEL0, 0xff);
	cpu_out8(PORT_PIT_CHANNEL0, 0xff);
}

static struct reading read_once(void)
{
	struct reading reading = { .tsc = cpu_tsc(), .counts = *apic_register(APIC_TIMER_CURRENT) };

	cpu_out8(PORT_PIT_COMMAND, PIT_LATCH);
	reading.width = cpu_tsc() - reading.tsc;
	reading.pit_status = cpu_in8(PORT_PIT_CHANNEL0);
	reading.pit = cpu_in8(PORT_PIT_CHANNEL0);
	reading.pit |= (uint32_t)cpu_in8(PORT_PIT_CHANNEL0) << 8;
	return reading;
}

static struct reading read_clocks(void)
{
	struct reading best = read_once();

	for (uint32_t i = 1; i < READINGS; i++) {
		struct reading next = read_once();

		if (next.width < best.width)
			best = next;
	}
	return best;
}

/* One measurement.  False: the 8254 ran out, or is not there. */
static bool measure(struct rates *rates)
{
	struct reading first, last;
	uint32_t looks = 0, ticks;

	*apic_register(APIC_TIMER_INITIAL) = UINT32_MAX;
	pit_start();
	do {
		first = read_clocks();
		if (++looks > LOOKS_MAX)
			return false;
	} while (first.pit_status & PIT_STATUS_NULL);
	do {
		last = read_clocks();
		ticks = first.pit - last.pit;
		if (++looks > LOOKS_MAX ||
			((first.pit_status | last.pit_status) & PIT_STATUS_OUTPUT))
			return false;
	} while (ticks < CALIBRATION_TICKS);
	*apic_register(APIC_TIMER_INITIAL) = 0;
	*rates = (struct rates){ (last.tsc - first.tsc) * PIT_HZ / ticks,
		(uint64_t)(first.counts - last.counts) * PIT_HZ / ticks };
	return true;
}

static struct rates calibrate(void)
{
	struct rates rates;

	for (uint32_t i = 0; i < ATTEMPTS; i++)
		if (measure(&rates))
			return rates;
	boot_stop("this machine has no interval timer (8254) to measure its clock with");
}

void timer_init(void)
{
	struct rates rates;

	apic_init();
	rates = calibrate();
	if (rates.tsc == 0 || rates.counts == 0)
		boot_stop("the clock of this machine stands still (TSC %lu Hz, APIC timer %lu Hz)",
			rates.tsc, rates.counts);
	boot_info.tsc_hz = rates.tsc;
	nanoseconds_per_tick = (NANOSECONDS << 32) / rates.tsc;
	ticks_per_nanosecond = per_nanosecond(rates.tsc);
	counts_per_nanosecond = per_nanosecond(rates.counts);
	*apic_register(APIC_LVT_TIMER) =
		VECTOR_TIMER | (cpu_has(FEATURE_TSC_DEADLINE) ? LVT_TSC_DEADLINE : 0);
}

uint64_t timer_now(void)
{
	return scale(cpu_tsc() - boot_info.boot_tsc_entry, nanoseconds_per_tick);
}

static void arm_deadline(uint64_t nanoseconds)
{
	uint64_t tsc = 0; /* disarmed */

	if (nanoseconds != UINT64_MAX)
		tsc = boot_info.boot_tsc_entry + scale(nanoseconds, ticks_per_nanosecond) + 1;
	cpu_wrmsr(MSR_TSC_DEADLINE, tsc);
}

static void arm_counter(uint64_t nanoseconds)
{
	uint64_t now, count = 0; /* stopped */

	if (nanoseconds != UINT64_MAX) {
		now = timer_now();
		count = nanoseconds > now ? scale(nanoseconds - now, counts_per_nanosecond) + 1 : 1;
		if (count > UINT32_MAX)
			count = UINT32_MAX;
	}
	*apic_register(APIC_TIMER_INITIAL) = (uint32_t)count;
}

void timer_arm(uint64_t nanoseconds)
{
	if (nanoseconds == armed)
		return;
	armed = nanoseconds;
	if (cpu_has(FEATURE_TSC_DEADLINE))
		arm_deadline(nanoseconds);
	else
		arm_counter(nanoseconds);
}

void timer_acknowledge(void)
{
	armed = UINT64_MAX;
	*apic_register(APIC_END) = 0;
}
