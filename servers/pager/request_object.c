/*
 * Requests of system servers about objects: make files, fill and read them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "object.h"
#include "request.h"

/* PAGER_OBJECT_CREATE */
status_t request_object_create(struct request *request)
{
	struct object *object;
	status_t status = object_create(&object_kind_file, request->w[0], &object);

	if (status != ST_OK)
		return status;
	request_copy_name(object->name, &request->w[1]);
	request->w[0] = object->id;
	return ST_OK;
}

/* The object and a range within it. */
static status_t find_range(const struct request *request, uint64_t bytes, struct object **object)
{
	*object = object_find(request->w[0]);
	if (!*object)
		return ST_NOT_FOUND;
	if (bytes > PAGE_SIZE || bytes > (*object)->bytes ||
		request->w[1] > (*object)->bytes - bytes)
		return ST_BAD_ARGUMENT;
	return ST_OK;
}

/* PAGER_OBJECT_WRITE.  The payload is in the bounce page. */
status_t request_object_write(struct request *request)
{
	uint64_t offset = request->w[1], done = 0;
	struct object *object;
	status_t status = find_range(request, request->bytes, &object);

	while (status == ST_OK && done < request->bytes) {
		uint64_t part = request_page_part(offset + done, request->bytes - done);
		pfn_t frame;

		status = object_get_page(object, (offset + done) / PAGE_SIZE, &frame);
		if (status == ST_OK)
			status = request_copy_out(frame, (offset + done) % PAGE_SIZE, done, part);
		done += part;
	}
	request->bytes = 0;
	return status;
}

/* PAGER_OBJECT_READ */
status_t request_object_read(struct request *request)
{
	uint64_t offset = request->w[1], bytes = request->w[2], done = 0;
	struct object *object;
	status_t status = find_range(request, bytes, &object);

	while (status == ST_OK && done < bytes) {
		uint64_t part = request_page_part(offset + done, bytes - done);
		pfn_t frame;

		(void)object_read(object, (offset + done) / PAGE_SIZE, 1, &frame);
		status = request_copy_in(frame != 0 ? frame : mmu_zero_frame,
			(offset + done) % PAGE_SIZE, done, part);
		done += part;
	}
	request->bytes = status == ST_OK ? (uint32_t)bytes : 0;
	return status;
}

/* PAGER_OBJECT_DESTROY */
status_t request_object_destroy(struct request *request)
{
	struct object *object = object_find(request->w[0]);

	if (!object || object->is_doomed)
		return ST_NOT_FOUND;
	object_doom(object);
	return ST_OK;
}
