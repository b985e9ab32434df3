#include "client/profile_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024, RECORD_BYTES = 1 << 20, FIELD_BYTES = 64 * 1024 };

static kin_status read_raw(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct kin_profile_input *in = arg;
    for (;;) {
        ssize_t n = read(in->fd, to, cap);
        if (n >= 0) {
            in->raw += (uint64_t)n;
            *got = (size_t)n;
            return KIN_OK;
        }
        if (errno != EINTR)
            return kin_err_set(err, KIN_E_IO, "cannot be read: %s", strerror(errno));
    }
}

static kin_status read_inflated(void *arg, uint8_t *to, size_t cap, size_t *got,
                                struct kin_err *err)
{
    struct kin_profile_input *in = arg;
    struct kin_byte_source source = kin_inflate_source(in->inflate);
    kin_status status = source.read(source.arg, to, cap, got, err);
    if (status == KIN_OK)
        in->produced += *got;
    return status;
}

static kin_status open_file(struct kin_profile_input *in, struct kin_err *err)
{
    struct stat st;
    /* O_NONBLOCK: opening a pipe must not wait for a writer before it can be refused */
    in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return kin_err_set(err, KIN_E_IO, "%s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return kin_err_set(err, KIN_E_INVAL, "is a directory");
    if (!S_ISREG(st.st_mode))
        return kin_err_set(err, KIN_E_INVAL, "is not a regular file");
    in->bytes = (uint64_t)st.st_size;
    return KIN_OK;
}

static kin_status open_reader(struct kin_profile_input *in, struct kin_err *err)
{
    in->options = (struct kin_reader_options){.format = kin_format_of(in->path),
                                              .chunk_bytes = CHUNK_BYTES,
                                              .max_record_bytes = RECORD_BYTES,
                                              .max_field_bytes = FIELD_BYTES};
    kin_status status = kin_inflate_open(kin_compression_of(in->path),
                                         (struct kin_byte_source){read_raw, in}, &in->inflate, err);
    if (status == KIN_OK)
        status = kin_cutter_open(&in->options, (struct kin_byte_source){read_inflated, in},
                                 &in->cutter, err);
    if (status == KIN_OK && !(in->rows = kin_rows_new(&in->options)))
        status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    return status;
}

kin_status kin_profile_input_open(struct kin_profile_input *in, const char *path,
                                  struct kin_err *err)
{
    *in = (struct kin_profile_input){.path = path, .fd = -1};
    kin_status status = open_file(in, err);
    if (status == KIN_OK)
        status = open_reader(in, err);
    return status == KIN_OK ? KIN_OK : kin_err_wrap(err, status, "%s", path);
}

void kin_profile_input_deinit(struct kin_profile_input *in)
{
    kin_chunk_deinit(&in->chunk);
    kin_rows_free(in->rows);
    if (in->cutter)
        kin_cutter_close(in->cutter);
    kin_inflate_close(in->inflate);
    if (in->fd >= 0)
        close(in->fd);
    *in = (struct kin_profile_input){.fd = -1};
}

kin_status kin_profile_input_next(struct kin_profile_input *in, struct kin_err *err)
{
    kin_chunk_deinit(&in->chunk);
    in->chunk = (struct kin_chunk){0};
    kin_status status = kin_cutter_next(in->cutter, &in->chunk, err);
    if (status == KIN_OK)
        kin_rows_begin(in->rows, kin_cutter_header(in->cutter), &in->chunk);
    return status == KIN_OK || status == KIN_E_EOF ? status
                                                   : kin_err_wrap(err, status, "%s", in->path);
}

double kin_profile_input_estimate(const struct kin_profile_input *in, uint64_t rows,
                                  const uint8_t *end)
{
    double consumed = (double)in->chunk.offset + (double)(end - in->chunk.bytes.p);
    double produced = (double)(in->produced ? in->produced : 1);
    double all = produced * (double)in->bytes / (double)(in->raw ? in->raw : 1);
    double estimate = consumed > 0 ? (double)rows * all / consumed : (double)rows;
    return estimate > (double)rows ? estimate : (double)rows;
}
