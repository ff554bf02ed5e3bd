/*-------------------------------------------------------------------------
 *
 * seal.h
 *		The key file, and values sealed under its key.
 *
 * IDENTIFICATION
 *		src/seal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZCSYNC_SEAL_H
#define ZCSYNC_SEAL_H

#define ZCSYNC_KEY_SIZE			32
#define ZCSYNC_FINGERPRINT_SIZE	8
#define ZCSYNC_SECRET_MAX_SIZE	(64 * 1024)		/* of one value, in bytes */

typedef struct ZcsyncKey
{
	unsigned char bytes[ZCSYNC_KEY_SIZE];
	unsigned char fingerprint[ZCSYNC_FINGERPRINT_SIZE];
	bool		former;			/* was replaced: see zcsync_key_replace() */
} ZcsyncKey;

typedef enum ZcsyncKeyState
{
	ZCSYNC_KEY_OK,
	ZCSYNC_KEY_MISSING,			/* there is no such file */
	ZCSYNC_KEY_UNUSABLE			/* wrong permissions or contents */
} ZcsyncKeyState;

/* the result of opening a sealed value */
typedef enum ZcsyncUnsealResult
{
	ZCSYNC_UNSEAL_OK,
	ZCSYNC_UNSEAL_OTHER_KEY,	/* sealed under another key than this one */
	ZCSYNC_UNSEAL_DAMAGED		/* not what was sealed for this credential */
} ZcsyncUnsealResult;

extern char *zcsync_file_read_secret(const char *path, Size max_size,
									 bool must_be_private, Size *size,
									 int *error, char **why);

extern char *zcsync_key_path(void);
extern bool zcsync_key_misplaced(void);
extern ZcsyncKeyState zcsync_key_read(const unsigned char *fingerprint,
									  ZcsyncKey *key, char **message,
									  char **hint);
extern void zcsync_key_create(void);
extern char *zcsync_key_replace(ZcsyncKey *key);
extern char *zcsync_key_former_path(const char *path, const ZcsyncKey *key);
extern char *zcsync_key_fingerprint_text(const ZcsyncKey *key);

extern const unsigned char *zcsync_sealed_fingerprint(const bytea *sealed);
extern bytea *zcsync_seal(const ZcsyncKey *key, int64 account_id,
						  const char *name, const char *value);
extern ZcsyncUnsealResult zcsync_unseal(const ZcsyncKey *key, int64 account_id,
										const char *name, const bytea *sealed,
										MemoryContext context, char **value);

#endif							/* ZCSYNC_SEAL_H */
