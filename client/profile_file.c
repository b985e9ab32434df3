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
    if (in->head_at < in->head_n) {
        *got = in->head_n - in->head_at < cap ? in->head_n - in->head_at : cap;
        memcpy(to, in->head + in->head_at, *got);
        in->head_at += *got;
        return KIN_OK;
    }
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

/* Reads until something tells the format, or the end. */
static kin_status open_stdin(struct kin_profile_input *in, struct kin_err *err)
{
    kin_status status = KIN_OK;
    bool told = false;
    in->fd = dup(STDIN_FILENO);
    if (in->fd < 0)
        return kin_err_set(err, KIN_E_IO, "%s", strerror(errno));
    while (!told && status == KIN_OK && in->head_n < sizeof in->head) {
        size_t got = 0;
        in->head_at = in->head_n; /* reads anew */
        status = read_raw(in, in->head + in->head_n, sizeof in->head - in->head_n, &got, err);
        for (size_t i = 0; i < got; i++)
            told = told || !strchr(" \t\r\n\xef\xbb\xbf", in->head[in->head_n + i]);
        in->head_n += got;
        told = told || got == 0;
    }
    in->head_at = 0;
    in->bytes = UINT64_MAX;
    return status;
}

static enum kin_format format_of_head(const struct kin_profile_input *in)
{
    size_t i = 0;
    while (i < in->head_n && strchr(" \t\r\n\xef\xbb\xbf", in->head[i]))
        i++;
    return i < in->head_n && in->head[i] == '{' ? KIN_FORMAT_JSONL : KIN_FORMAT_CSV;
}

static bool is_stdin(const struct kin_profile_input *in)
{
    return strcmp(in->path, "-") == 0;
}

static kin_status open_reader(struct kin_profile_input *in, struct kin_err *err)
{
    in->options = (struct kin_reader_options){.format = is_stdin(in) ? format_of_head(in)
                                                                     : kin_format_of(in->path),
                                              .chunk_bytes = CHUNK_BYTES,
                                              .max_record_bytes = RECORD_BYTES,
                                              .max_field_bytes = FIELD_BYTES};
    kin_status status = kin_inflate_open(is_stdin(in) ? KIN_PLAIN : kin_compression_of(in->path),
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
    kin_status status = is_stdin(in) ? open_stdin(in, err) : open_file(in, err);
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
