#ifndef KIN_CLI_SETTINGS_H
#define KIN_CLI_SETTINGS_H
/* Settings of a daemon, in one table: each is a flag of the command line (--data-dir) or else a
 * variable of the environment (KINDRED_DATA_DIR). Main thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kin_setting_kind { KIN_SETTING_TEXT, KIN_SETTING_NUMBER, KIN_SETTING_SWITCH };

struct kin_setting {
    const char *name; /* without the dashes */
    char letter;      /* -o; 0: none */
    enum kin_setting_kind kind;
    const char *value; /* what --help calls it */
    const char *help;
    bool required;
    uint64_t min, max; /* of a number */
    /* Where it goes: const char **, uint64_t *, bool *; what stands there is the default. Texts are
     * borrowed from argv and the environment. */
    void *to;
};

enum { KIN_SETTINGS_MAX = 32 };

/* Reads the environment, then the command line. -1: go on; else exit with the status, after what is
 * wrong was told on stderr, or the help or the version on stdout. */
int kin_settings_parse(const char *tool, const char *intro, const struct kin_setting *settings,
                       size_t count, int argc, char **argv);

#endif
