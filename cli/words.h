/* Text for people, in English or Japanese. What programs read (JSON keys, codes, exit statuses) is
 * never translated. */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

enum language { LANGUAGE_EN = 1, LANGUAGE_JA = 2 };

/* From --lang if given (may be NULL), else LC_ALL, LC_MESSAGES, LANG. Called once, at start. */
enum language words_detect(const char *flag);
void words_choose(enum language language);
enum language words_language(void);
/* The one of the two that the chosen language reads. */
const char *say(const char *en, const char *ja);

#endif
