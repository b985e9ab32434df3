#include "client/terminal.h"

#include "common/workflow/utf8.h"

#include <stdarg.h>
#include <stdio.h>

size_t kin_terminal_put(struct kin_buf *out, struct kin_str text, size_t columns)
{
    size_t shown = 0;
    for (size_t i = 0; i < text.n && shown < columns; shown++) {
        uint32_t c = 0;
        size_t bytes = kin_utf8_step(text.p + i, text.n - i, &c);
        if (!bytes || kin_utf8_is_control(c) || c == '\n' || c == '\r' || c == '\t')
            kin_buf_putc(out, '?');
        else
            kin_buf_put(out, text.p + i, bytes);
        i += bytes ? bytes : 1;
    }
    return shown;
}

static size_t characters(struct kin_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; n++) {
        uint32_t c;
        size_t bytes = kin_utf8_step(text.p + i, text.n - i, &c);
        i += bytes ? bytes : 1;
    }
    return n;
}

void kin_terminal_cell(struct kin_buf *out, struct kin_str text, size_t columns)
{
    bool cut = characters(text) > columns && columns > 3;
    size_t n = kin_terminal_put(out, text, cut ? columns - 3 : columns);
    if (cut) {
        kin_buf_puts(out, "...");
        n += 3;
    }
    for (; n < columns; n++)
        kin_buf_putc(out, ' ');
}

void kin_terminal_say(const char *format, ...)
{
    char text[2000];
    struct kin_buf line = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kin_buf_puts(&line, "kindred: ");
    kin_terminal_put(&line, kin_str_of(text), SIZE_MAX);
    kin_buf_putc(&line, '\n');
    fwrite(line.p ? line.p : (const uint8_t *)"", 1, line.n, stderr);
    kin_buf_deinit(&line);
}
