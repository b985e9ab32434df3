#include "common/cli/settings.h"

#include "common/cli/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, OPT_FIRST = 256, OPT_HELP = OPT_FIRST + KIN_SETTINGS_MAX, OPT_VERSION };

static void variable_name(const char *name, char out[NAME_BYTES])
{
    size_t n = (size_t)snprintf(out, NAME_BYTES, "KINDRED_%s", name);
    for (size_t i = 0; i < n && i < NAME_BYTES - 1; i++) {
        if (out[i] == '-')
            out[i] = '_';
        else if (out[i] >= 'a' && out[i] <= 'z')
            out[i] = (char)(out[i] - 'a' + 'A');
    }
}

static bool take_number(const char *tool, const char *shown, const struct kin_setting *s,
                        const char *text)
{
    char *end;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || x < s->min || x > s->max) {
        fprintf(stderr, "%s: %s: '%s' is not a number from %llu to %llu\n", tool, shown, text,
                (unsigned long long)s->min, (unsigned long long)s->max);
        return false;
    }
    *(uint64_t *)s->to = x;
    return true;
}

static bool take_switch(const char *tool, const char *shown, const struct kin_setting *s,
                        const char *text)
{
    bool on = strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0;
    bool off = strcmp(text, "0") == 0 || strcmp(text, "false") == 0 || strcmp(text, "no") == 0;
    if (!on && !off) {
        fprintf(stderr, "%s: %s: '%s' is neither true nor false\n", tool, shown, text);
        return false;
    }
    *(bool *)s->to = on;
    return true;
}

static bool take(const char *tool, const char *shown, const struct kin_setting *s, const char *text)
{
    switch (s->kind) {
    case KIN_SETTING_NUMBER:
        return take_number(tool, shown, s, text);
    case KIN_SETTING_SWITCH:
        return take_switch(tool, shown, s, text);
    case KIN_SETTING_TEXT:
        break;
    }
    if (!*text) {
        fprintf(stderr, "%s: %s is empty\n", tool, shown);
        return false;
    }
    *(const char **)s->to = text;
    return true;
}

static bool take_environment(const char *tool, const struct kin_setting *settings, size_t count)
{
    char variable[NAME_BYTES];
    for (size_t i = 0; i < count; i++) {
        variable_name(settings[i].name, variable);
        const char *text = getenv(variable);
        if (text && *text && !take(tool, variable, &settings[i], text))
            return false;
    }
    return true;
}

/* Behind the column of the options, in lines of at most 100 columns. */
static void print_wrapped(const char *text)
{
    enum { INDENT = 33, WIDTH = 100 };
    size_t column = INDENT;
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (column > INDENT && column + 1 + word > WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += word;
        text += word;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void print_help(const char *tool, const char *intro, const struct kin_setting *settings,
                       size_t count)
{
    printf("usage: %s OPTIONS\n\n%s\n", tool, intro);
    for (size_t i = 0; i <= count; i++) {
        const struct kin_setting *s = i < count ? &settings[i] : NULL;
        char left[NAME_BYTES], letter[8] = "    ";
        if (s && s->letter)
            snprintf(letter, sizeof letter, "-%c, ", s->letter);
        if (s)
            snprintf(left, sizeof left, "%s--%s%s%s", letter, s->name, s->value ? " " : "",
                     s->value ? s->value : "");
        printf("  %-30s ", s ? left : "-h, --help");
        print_wrapped(s ? s->help : "this text");
    }
    puts("\nEach option may be given as a variable of the environment instead: --secret-file is\n"
         "KINDRED_SECRET_FILE=FILE, and so on. The command line wins.");
}

static bool is_given(const struct kin_setting *s)
{
    return s->kind == KIN_SETTING_NUMBER ? *(const uint64_t *)s->to != 0
                                         : *(const char *const *)s->to != NULL;
}

static int usage(const char *tool)
{
    fprintf(stderr, "`%s --help` lists the options.\n", tool);
    return KIN_EXIT_USAGE;
}

int kin_settings_parse(const char *tool, const char *intro, const struct kin_setting *settings,
                       size_t count, int argc, char **argv)
{
    struct option options[KIN_SETTINGS_MAX + 3] = {0};
    char letters[2 * KIN_SETTINGS_MAX + 2] = "h", name[NAME_BYTES];
    char *at = letters + 1;
    KIN_ASSERT(count <= KIN_SETTINGS_MAX);
    for (size_t i = 0; i < count; i++) {
        int needs = settings[i].kind == KIN_SETTING_SWITCH ? no_argument : required_argument;
        options[i] = (struct option){settings[i].name, needs, NULL, OPT_FIRST + (int)i};
        if (settings[i].letter) {
            *at++ = settings[i].letter;
            *at++ = ':';
        }
    }
    options[count] = (struct option){"help", no_argument, NULL, 'h'};
    options[count + 1] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    optind = 0;
    if (!take_environment(tool, settings, count))
        return usage(tool);
    for (int c; (c = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        if (c == 'h') {
            print_help(tool, intro, settings, count);
            return KIN_EXIT_OK;
        }
        if (c == OPT_VERSION) {
            printf("%s " KIN_VERSION "\n", tool);
            return KIN_EXIT_OK;
        }
        size_t i = 0;
        while (i < count && c != OPT_FIRST + (int)i && (c != settings[i].letter || c == 0))
            i++;
        snprintf(name, sizeof name, "--%s", i < count ? settings[i].name : "");
        const char *text = i < count && settings[i].kind == KIN_SETTING_SWITCH ? "1" : optarg;
        if (i == count || !take(tool, name, &settings[i], text))
            return usage(tool);
    }
    if (optind < argc) {
        fprintf(stderr, "%s: '%s': no such argument\n", tool, argv[optind]);
        return usage(tool);
    }
    for (size_t i = 0; i < count; i++) {
        if (settings[i].required && !is_given(&settings[i])) {
            fprintf(stderr, "%s: --%s is missing\n", tool, settings[i].name);
            return usage(tool);
        }
    }
    return -1;
}
