/*
 * Files and file descriptors.
 *
 * Descriptors live in the process: 32 numbers, each naming an open file (with its offset), which
 * dup shares.  Fork copies them with the rest of memory, so offsets are not shared between parent
 * and child; exec starts anew with 0, 1 and 2 on the console.  The files are those of the boot
 * archive, known to the file server by object id; they are read-only, and all that would change one
 * is EROFS.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <faultline/protocol/console.h>
#include <faultline/protocol/files.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/faultline.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS	    32
#define CONSOLE_BLOCK_BYTES 1024
#define CONSOLE_RETRY_MICROSECONDS 10000

/* What read and write return is an int in newlib, so one of them moves at most so much. */
typedef __typeof__(read(0, NULL, 0)) transfer_t;
#define TRANSFER_MAX ((size_t)1 << 30)

/* The archive's file types, as cpio writes them. */
enum { WIRE_TYPE = 0170000, WIRE_FOLDER = 0040000, WIRE_PERMISSIONS = 0777 };

typedef enum { OPEN_NOTHING, OPEN_CONSOLE, OPEN_FILE } open_kind_t;

struct open_file {
	open_kind_t kind;
	unsigned descriptors; /* that name it */
	int flags;	      /* O_* of open */
	unsigned mode;	      /* as the archive has it */
	uint64_t object, bytes;
	off_t offset;
};

static struct open_file open_files[DESCRIPTORS] = {
	[0] = { .kind = OPEN_CONSOLE, .descriptors = 3, .flags = O_RDWR },
};
/* Index of the open file + 1, or 0. */
static uint8_t descriptors[DESCRIPTORS] = { 1, 1, 1 };

/* The open file behind fd, or NULL with EBADF. */
static struct open_file *file_of(int fd)
{
	if (fd < 0 || fd >= DESCRIPTORS || !descriptors[fd]) {
		errno = EBADF;
		return NULL;
	}
	return &open_files[descriptors[fd] - 1];
}

/* The lowest free descriptor from `from` on, or -1 with EMFILE. */
static int descriptor_free(int from)
{
	for (int fd = from; fd < DESCRIPTORS; fd++)
		if (!descriptors[fd])
			return fd;
	return posix_fail_errno(EMFILE);
}

/* There are as many open files as descriptors, so one is free whenever a descriptor is. */
static unsigned open_file_free(void)
{
	unsigned index = 0;

	while (open_files[index].kind != OPEN_NOTHING)
		index++;
	return index;
}

static void descriptor_bind(int fd, unsigned index)
{
	descriptors[fd] = (uint8_t)(index + 1);
	open_files[index].descriptors++;
}

static void descriptor_release(int fd)
{
	struct open_file *file = &open_files[descriptors[fd] - 1];

	descriptors[fd] = 0;
	if (--file->descriptors == 0)
		file->kind = OPEN_NOTHING;
}

/* Asks the file server.  0 and *file filled, or -1 with errno. */
static int file_look_up(const char *path, struct open_file *file)
{
	struct message message = { 0 };
	int64_t bytes = posix_path_to_page(path);
	status_t status;

	if (bytes < 0)
		return -1;
	status = posix_request(SLOT_FILES, FILES_OPEN, (uint32_t)bytes, &message);
	if (status != ST_OK)
		return posix_fail(status, ABSENT_FILE);
	*file = (struct open_file){
		.kind = OPEN_FILE,
		.object = message.w[0],
		.bytes = message.w[1],
		.mode = (unsigned)message.w[2],
	};
	return 0;
}

static bool is_folder(const struct open_file *file)
{
	return (file->mode & WIRE_TYPE) == WIRE_FOLDER;
}

/* Opens a file for reading. */
int open(const char *path, int flags, ...)
{
	struct open_file file = { 0 };
	unsigned index;
	int fd = descriptor_free(0);

	if (fd < 0)
		return -1;
	if (file_look_up(path, &file))
		return errno == ENOENT && (flags & O_CREAT) ? posix_fail_errno(EROFS) : -1;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return posix_fail_errno(EEXIST);
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		return posix_fail_errno(is_folder(&file) ? EISDIR : EROFS);
	file.flags = flags & ~(O_CREAT | O_EXCL);
	index = open_file_free();
	open_files[index] = file;
	descriptor_bind(fd, index);
	return fd;
}

/* Closes a descriptor. */
int close(int fd)
{
	if (!file_of(fd))
		return -1;
	descriptor_release(fd);
	return 0;
}

/* A second descriptor, the lowest free one. */
int dup(int fd)
{
	return fcntl(fd, F_DUPFD, 0);
}

/* The same with the number given; what it was is closed. */
int dup2(int fd, int wanted)
{
	if (!file_of(fd))
		return -1;
	if (wanted < 0 || wanted >= DESCRIPTORS)
		return posix_fail_errno(EBADF);
	if (fd == wanted)
		return fd;
	if (descriptors[wanted])
		descriptor_release(wanted);
	descriptor_bind(wanted, (unsigned)descriptors[fd] - 1);
	return wanted;
}

static int descriptor_duplicate(int fd, int from)
{
	int copy;

	if (from < 0 || from >= DESCRIPTORS)
		return posix_fail_errno(EINVAL);
	copy = descriptor_free(from);
	if (copy >= 0)
		descriptor_bind(copy, (unsigned)descriptors[fd] - 1);
	return copy;
}

/* F_DUPFD and the questions; flags cannot be changed: no descriptor survives exec, and nothing
   blocks. */
int fcntl(int fd, int command, ...)
{
	struct open_file *file = file_of(fd);
	va_list arguments;
	int argument;

	if (!file)
		return -1;
	va_start(arguments, command);
	argument = command == F_DUPFD ? va_arg(arguments, int) : 0;
	va_end(arguments);
	switch (command) {
	case F_DUPFD:
		return descriptor_duplicate(fd, argument);
	case F_GETFD:
		return FD_CLOEXEC;
	case F_GETFL:
		return file->flags;
	default:
		return posix_fail_errno(EINVAL);
	}
}

/* One request for at most a page.  Returns the bytes that came, or -1 with errno. */
static int64_t file_read_some(
	const struct open_file *file, uint64_t offset, uint8_t *to, uint64_t bytes)
{
	struct message message = { .w = { file->object, offset, bytes } };
	void *page = posix_message_page();
	status_t status;
	uint64_t got;

	if (offset >= file->bytes)
		return 0;
	status = posix_request(SLOT_FILES, FILES_READ, 0, &message);
	if (status != ST_OK)
		return posix_fail(status, EIO);
	got = TAG_BYTES(message.tag) < bytes ? TAG_BYTES(message.tag) : bytes;
	if (guarded_copy(to, page, got))
		return posix_fail_errno(EFAULT);
	return (int64_t)got;
}

/* Reads until `bytes` are there or the file ends.  An error counts only if nothing came before it.
   */
static ssize_t file_read(const struct open_file *file, uint64_t offset, uint8_t *to, size_t bytes)
{
	uint64_t done = 0;

	while (done < bytes) {
		uint64_t wanted = bytes - done < PAGE_SIZE ? bytes - done : PAGE_SIZE;
		int64_t got = file_read_some(file, offset + done, to + done, wanted);

		if (got < 0 && done == 0)
			return -1;
		if (got <= 0)
			break;
		done += (uint64_t)got;
	}
	return (ssize_t)done;
}

/* One line, or what of it fits; 0 at the end of input.  Asking again loses nothing, so a console that
   was restarted meanwhile, or has too many readers, is asked again. */
static ssize_t console_read(uint8_t *to, size_t bytes)
{
	uint64_t wanted = bytes < PAGE_SIZE ? bytes : PAGE_SIZE;
	struct message message;
	void *page = posix_message_page();
	status_t status;
	uint64_t got;

	for (;;) {
		message = (struct message){ .w = { wanted } };
		status = posix_request(SLOT_CONSOLE, CONSOLE_READ, 0, &message);
		if (status != ST_DEAD && status != ST_AGAIN)
			break;
		usleep(CONSOLE_RETRY_MICROSECONDS);
	}
	if (status != ST_OK)
		return posix_fail(status, EIO);
	got = TAG_BYTES(message.tag) < wanted ? TAG_BYTES(message.tag) : wanted;
	if (guarded_copy(to, page, got))
		return posix_fail_errno(EFAULT);
	return (ssize_t)got;
}

/* Reads at the offset, which moves on. */
transfer_t read(int fd, void *to, size_t bytes)
{
	struct open_file *file = file_of(fd);
	size_t wanted = bytes < TRANSFER_MAX ? bytes : TRANSFER_MAX;
	transfer_t got;

	if (!file)
		return -1;
	if (bytes == 0)
		return 0;
	if (file->kind == OPEN_CONSOLE)
		return (transfer_t)console_read(to, wanted);
	if (is_folder(file))
		return posix_fail_errno(EISDIR);
	got = (transfer_t)file_read(file, (uint64_t)file->offset, to, wanted);
	if (got > 0)
		file->offset += got;
	return got;
}

/* Reads at the offset given; the file's own stays. */
ssize_t pread(int fd, void *to, size_t bytes, off_t offset)
{
	struct open_file *file = file_of(fd);

	if (!file)
		return -1;
	if (file->kind == OPEN_CONSOLE)
		return posix_fail_errno(ESPIPE);
	if (offset < 0)
		return posix_fail_errno(EINVAL);
	return file_read(file, (uint64_t)offset, to, bytes < TRANSFER_MAX ? bytes : TRANSFER_MAX);
}

/* At most a page of text.  Returns the bytes taken, or -1 with errno. */
static int64_t console_write_some(const uint8_t *from, uint64_t bytes)
{
	struct message message = { 0 };
	status_t status;

	if (guarded_copy(posix_message_page(), from, bytes))
		return posix_fail_errno(EFAULT);
	status = posix_request(SLOT_CONSOLE, CONSOLE_WRITE, (uint32_t)bytes, &message);
	if (status != ST_OK)
		return posix_fail(status, EIO);
	if (message.w[0] == 0 || message.w[0] > bytes)
		return posix_fail_errno(EIO);
	return (int64_t)message.w[0];
}

/* Writes all of it to the console.  An error counts only if nothing was written before it. */
transfer_t write(int fd, const void *from, size_t bytes)
{
	struct open_file *file = file_of(fd);
	uint64_t all = bytes < TRANSFER_MAX ? bytes : TRANSFER_MAX;
	uint64_t done = 0;

	if (!file)
		return -1;
	if (file->kind != OPEN_CONSOLE)
		return posix_fail_errno(EBADF);
	while (done < all) {
		uint64_t wanted = all - done < PAGE_SIZE ? all - done : PAGE_SIZE;
		int64_t taken = console_write_some((const uint8_t *)from + done, wanted);

		if (taken < 0 && done == 0)
			return -1;
		if (taken < 0)
			break;
		done += (uint64_t)taken;
	}
	return (transfer_t)done;
}

/* Moves the offset. */
off_t lseek(int fd, off_t offset, int whence)
{
	struct open_file *file = file_of(fd);
	off_t base, result;

	if (!file)
		return -1;
	if (file->kind == OPEN_CONSOLE)
		return posix_fail_errno(ESPIPE);
	if (whence == SEEK_SET)
		base = 0;
	else if (whence == SEEK_CUR)
		base = file->offset;
	else if (whence == SEEK_END)
		base = (off_t)file->bytes;
	else
		return posix_fail_errno(EINVAL);
	if (__builtin_add_overflow(base, offset, &result) || result < 0)
		return posix_fail_errno(EINVAL);
	file->offset = result;
	return result;
}

static int file_stat(const struct open_file *file, struct stat *result)
{
	struct stat stat;

	memset(&stat, 0, sizeof(stat));
	stat.st_nlink = 1;
	stat.st_blksize = CONSOLE_BLOCK_BYTES;
	if (file->kind == OPEN_CONSOLE) {
		stat.st_mode = S_IFCHR | S_IRUSR | S_IWUSR;
	} else {
		stat.st_mode = (mode_t)((is_folder(file) ? S_IFDIR : S_IFREG) |
					(file->mode & WIRE_PERMISSIONS));
		stat.st_ino = (ino_t)file->object;
		stat.st_size = (off_t)file->bytes;
		stat.st_blksize = (blksize_t)PAGE_SIZE;
	}
	return posix_copy_out(result, &stat, sizeof(stat));
}

/* Describes an open file. */
int fstat(int fd, struct stat *result)
{
	struct open_file *file = file_of(fd);

	return file ? file_stat(file, result) : -1;
}

/* Describes a file by name. */
int stat(const char *path, struct stat *result)
{
	struct open_file file = { 0 };

	return file_look_up(path, &file) ? -1 : file_stat(&file, result);
}

/* May the file be used so?  There are no users: all can read all, and run what is marked. */
int access(const char *path, int wanted)
{
	struct open_file file = { 0 };

	if (file_look_up(path, &file))
		return -1;
	if (wanted & W_OK)
		return posix_fail_errno(EROFS);
	if ((wanted & X_OK) && !(file.mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return posix_fail_errno(EACCES);
	return 0;
}

/* 1 for the console. */
int isatty(int fd)
{
	struct open_file *file = file_of(fd);

	if (!file)
		return 0;
	if (file->kind == OPEN_CONSOLE)
		return 1;
	errno = ENOTTY;
	return 0;
}

/* The object id of an open file, for mmap. */
int files_object(int fd, uint64_t *object)
{
	struct open_file *file = file_of(fd);

	if (!file)
		return -1;
	if (file->kind != OPEN_FILE || is_folder(file) || file->bytes == 0)
		return posix_fail_errno(ENODEV);
	*object = file->object;
	return 0;
}

/* Names cannot be changed: the archive is read-only. */
int link(const char *path, const char *other)
{
	(void)path;
	(void)other;
	return posix_fail_errno(EROFS);
}

int unlink(const char *path)
{
	(void)path;
	return posix_fail_errno(EROFS);
}

int rename(const char *path, const char *other)
{
	return link(path, other);
}

int mkdir(const char *path, mode_t mode)
{
	(void)mode;
	return unlink(path);
}

/* The file with this index. */
int system_file_at(unsigned index, struct system_file *file)
{
	struct message message = { .w = { index } };
	const char *page = posix_message_page();
	status_t status = posix_request(SLOT_FILES, FILES_LIST, 0, &message);
	uint32_t bytes = TAG_BYTES(message.tag);

	if (status != ST_OK)
		return posix_fail(status, ABSENT_FILE);
	if (bytes > SYSTEM_NAME_MAX)
		return posix_fail_errno(ENAMETOOLONG);
	memcpy(file->name, page, bytes);
	file->name[bytes] = 0;
	file->bytes = message.w[1];
	file->mode = (unsigned)message.w[2];
	return 0;
}
