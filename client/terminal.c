#include "client/terminal.h"

#include <stdarg.h>
#include <stdio.h>

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
