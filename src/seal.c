/*-------------------------------------------------------------------------
 *
 * seal.c
 *		The key file, and values sealed under its key.
 *
 * Secrets are stored encrypted with AES-256-GCM.  The key is in a file and
 * never in the database, so that a dump, a replica or a stolen table reveals
 * nothing.
 *
 * The file is the one that zcsync.key_file names.  If that is empty, there
 * are two possible places: beside the configuration file, if its directory is
 * outside of the data directory, and the data directory.  They are looked at
 * in this order, and the first file found is used; but to open a value, the
 * file whose key sealed it is preferred.  So a key that was made in the data
 * directory stays in use, and if two servers share a directory of
 * configuration files, the key of the other one does no harm.  A new key is
 * made beside the configuration file if possible: there base backups do not
 * contain it, and pg_rewind does not delete it.
 *
 * zcsync_key_replace() puts another key in the place of a file.  Before that it
 * gives the former key a second name, the path of the file with the fingerprint
 * of the key behind it, where it is found by that fingerprint; no such file is
 * ever overwritten or removed here.  So whatever was sealed under either key
 * opens at each moment, however the process ends, and in all databases of the
 * server, which use the same file.
 *
 * A sealed value is
 *
 *		version (1 byte) | fingerprint of the key (8) | nonce (12) |
 *		ciphertext (as long as the value) | tag (16)
 *
 * Version, fingerprint, account and name of the credential are authenticated
 * with it: a value that was moved to another row does not open.  The database
 * is not part of that, so that a dump that was restored elsewhere opens with
 * a copy of the key file.
 *
 * The key is read from the file each time and never cached: so it is noticed
 * at once when a file was removed, and no process keeps the key in memory.
 * All copies are overwritten after use, also when an error is thrown.
 *
 * This file knows no tables.  secret_open.c decides when a key may be created.
 *
 * IDENTIFICATION
 *		src/seal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "compat.h"
#include "seal.h"
#include "settings.h"

#define SEAL_VERSION	1
#define NONCE_SIZE		12
#define TAG_SIZE		16
#define NONCE_OFFSET	(1 + ZCSYNC_FINGERPRINT_SIZE)
#define HEADER_SIZE		(NONCE_OFFSET + NONCE_SIZE)
#define KEY_TEXT_SIZE	(2 * ZCSYNC_KEY_SIZE)
#define KEY_FILE_NAME	"zcsync.key"

static List *key_paths(void);
static char *key_config_directory(void);
static ZcsyncKeyState key_read_at(const char *path, ZcsyncKey *key,
								  char **message, char **hint);
static bool key_read_former(const char *path, const unsigned char *fingerprint,
							ZcsyncKey *key);
static bool key_at_holds(const char *path, const unsigned char *fingerprint);
static void key_keep_former(const char *path, const ZcsyncKey *key);
static void key_generate(const char *path, bool replace);
static bool key_parse(ZcsyncKey *key, const char *contents, Size size);
static void key_fingerprint(ZcsyncKey *key);
static void key_write_file(const char *path, const char *contents,
						   bool replace);
static bool crypt_open(const ZcsyncKey *key, int64 account_id,
					   const char *name, const unsigned char *in, char *value,
					   Size value_size);
static void crypt_aad(EVP_CIPHER_CTX *ctx, bool encrypt,
					  const unsigned char *header, int64 account_id,
					  const char *name);
pg_noreturn static void crypt_failed(void);

/*
 * Read a small file that holds a secret: palloc'ed, NUL-terminated, its size
 * in *size.  Returns NULL after setting *why (palloc'ed, for people) and
 * *error (an errno, or 0) if it is not a readable regular file of at most
 * max_size bytes, or, if the caller asks for that check, if others than its
 * owner may read it.
 */
char *
zcsync_file_read_secret(const char *path, Size max_size, bool must_be_private,
						Size *size, int *error, char **why)
{
	struct stat st;
	char	   *buffer;
	ssize_t		got;
	int			fd;

	/*
	 * O_NONBLOCK: opening a named pipe must not hang before fstat() detects
	 * it
	 */
	*error = 0;
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0 || fstat(fd, &st) != 0)
	{
		*error = errno;
		*why = psprintf("could not open file \"%s\": %s", path, strerror(*error));
		if (fd >= 0)
			CloseTransientFile(fd);
		return NULL;
	}

	if (!S_ISREG(st.st_mode))
		*why = psprintf("\"%s\" is not a regular file", path);
	else if (must_be_private && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		*why = psprintf("file \"%s\" can be read by group or others", path);
	else if (must_be_private && st.st_uid != geteuid())
		*why = psprintf("file \"%s\" is not owned by the user that runs the server", path);
	else if (st.st_size > max_size)
		*why = psprintf("file \"%s\" is larger than %zu bytes", path, max_size);
	else
	{
		buffer = palloc0(st.st_size + 1);
		got = read(fd, buffer, st.st_size);
		if (got >= 0)
		{
			CloseTransientFile(fd);
			*size = got;
			return buffer;
		}
		*error = errno;
		*why = psprintf("could not read file \"%s\": %s", path, strerror(*error));
	}
	CloseTransientFile(fd);
	return NULL;
}

/*
 * The path of the key file, palloc'ed: the first that exists, otherwise the
 * one that zcsync_key_create() would make.
 */
char *
zcsync_key_path(void)
{
	List	   *paths = key_paths();
	char	   *directory;
	ListCell   *lc;

	foreach(lc, paths)
	{
		if (access(lfirst(lc), F_OK) == 0)
			return lfirst(lc);
	}

	/* The last place is the data directory, which can always be written. */
	directory = pstrdup(linitial(paths));
	get_parent_directory(directory);
	return access(directory, W_OK | X_OK) == 0 ? linitial(paths) : llast(paths);
}

/*
 * Is the key file in the data directory because no place was chosen?
 */
bool
zcsync_key_misplaced(void)
{
	return zcsync_key_file[0] == '\0' &&
		strcmp(zcsync_key_path(), llast(key_paths())) == 0;
}

/*
 * Read the key: the one with this fingerprint if some file has it, otherwise
 * that of the first file that exists.  fingerprint NULL: any.  Any result but
 * ZCSYNC_KEY_OK sets *message and *hint, palloc'ed, and leaves no key in
 * *key.  The caller overwrites *key after use.
 */
ZcsyncKeyState
zcsync_key_read(const unsigned char *fingerprint, ZcsyncKey *key,
				char **message, char **hint)
{
	List	   *paths = key_paths();
	ZcsyncKeyState state = ZCSYNC_KEY_MISSING;
	ListCell   *lc;

	foreach(lc, paths)
	{
		ZcsyncKey	found = {0};
		char	   *why = NULL;
		char	   *what_to_do = NULL;
		ZcsyncKeyState found_state;
		bool		fits;

		found_state = key_read_at(lfirst(lc), &found, &why, &what_to_do);
		fits = found_state == ZCSYNC_KEY_OK &&
			(fingerprint == NULL ||
			 memcmp(found.fingerprint, fingerprint, ZCSYNC_FINGERPRINT_SIZE) == 0);
		if (fits || state == ZCSYNC_KEY_MISSING)
		{
			state = found_state;
			*key = found;
			*message = why;
			*hint = what_to_do;
		}
		explicit_bzero(&found, sizeof(found));
		if (fits || (fingerprint == NULL && state != ZCSYNC_KEY_MISSING))
			break;
		if (fingerprint != NULL &&
			key_read_former(lfirst(lc), fingerprint, key))
		{
			state = ZCSYNC_KEY_OK;
			break;
		}
	}

	if (state != ZCSYNC_KEY_OK)
		explicit_bzero(key, sizeof(*key));
	if (state == ZCSYNC_KEY_MISSING)
	{
		*message = psprintf("key file \"%s\" is missing", zcsync_key_path());
		if (RecoveryInProgress())
			*hint = "Copy the key file of the primary to this place, with owner and mode.";
		else
			*hint = "Put the key file back from a backup: accounts go on by themselves then. If it is lost, run zcsync.forget_credentials() for each account, then zcsync.set_credentials().";
	}
	return state;
}

/*
 * The paths at which the key file may be, in the order in which they are
 * tried: one or two, palloc'ed.  A relative zcsync.key_file is under the data
 * directory.
 */
static List *
key_paths(void)
{
	List	   *paths = NIL;
	char	   *directory;

	if (is_absolute_path(zcsync_key_file))
		return list_make1(pstrdup(zcsync_key_file));
	if (zcsync_key_file[0] != '\0')
		return list_make1(psprintf("%s/%s", DataDir, zcsync_key_file));

	directory = key_config_directory();
	if (directory != NULL)
		paths = list_make1(psprintf("%s/%s", directory, KEY_FILE_NAME));
	return lappend(paths, psprintf("%s/%s", DataDir, KEY_FILE_NAME));
}

/*
 * The directory of the configuration file, palloc'ed; NULL if it is the data
 * directory, or under it.
 */
static char *
key_config_directory(void)
{
	char	   *directory;
	char	   *config;
	char	   *data;
	bool		outside;

	if (ConfigFileName == NULL)
		return NULL;
	directory = pstrdup(ConfigFileName);
	get_parent_directory(directory);
	config = realpath(directory, NULL);
	data = realpath(DataDir, NULL);
	outside = config != NULL && data != NULL &&
		!path_is_prefix_of_path(data, config);
	free(config);
	free(data);
	return outside ? directory : NULL;
}

/*
 * Read the key of one file.  Like zcsync_key_read(), but sets no message if
 * the file is missing.
 */
static ZcsyncKeyState
key_read_at(const char *path, ZcsyncKey *key, char **message, char **hint)
{
	char	   *contents;
	Size		size;
	int			error;
	bool		valid;

	contents = zcsync_file_read_secret(path, KEY_TEXT_SIZE + 2, true, &size,
									   &error, message);
	if (contents == NULL)
	{
		if (error == ENOENT)
			return ZCSYNC_KEY_MISSING;
		*hint = psprintf("The key file must be a regular file with mode 0600, owned by the user that runs the server: \"%s\".",
						 path);
		return ZCSYNC_KEY_UNUSABLE;
	}

	valid = key_parse(key, contents, size);
	explicit_bzero(contents, size);
	if (!valid)
	{
		*message = psprintf("key file \"%s\" does not hold a key", path);
		*hint = "A key file is one line of 64 hexadecimal digits. Put the key file back from a backup.";
		return ZCSYNC_KEY_UNUSABLE;
	}
	return ZCSYNC_KEY_OK;
}

/*
 * Read a former key: the one with this fingerprint, if zcsync_key_replace() put
 * it beside the key file at "path".  Returns whether it did.
 */
static bool
key_read_former(const char *path, const unsigned char *fingerprint,
				ZcsyncKey *key)
{
	ZcsyncKey	found = {0};
	ZcsyncKey	wanted = {0};
	char	   *message;
	char	   *hint;
	bool		fits;

	memcpy(wanted.fingerprint, fingerprint, ZCSYNC_FINGERPRINT_SIZE);
	fits = key_read_at(zcsync_key_former_path(path, &wanted), &found, &message,
					   &hint) == ZCSYNC_KEY_OK &&
		memcmp(found.fingerprint, fingerprint, ZCSYNC_FINGERPRINT_SIZE) == 0;
	if (fits)
	{
		*key = found;
		key->former = true;
	}
	explicit_bzero(&found, sizeof(found));
	return fits;
}

/*
 * Where a key lies that was replaced at "path", palloc'ed.
 */
char *
zcsync_key_former_path(const char *path, const ZcsyncKey *key)
{
	return psprintf("%s.%s", path, zcsync_key_fingerprint_text(key));
}

/*
 * Have another key in the file of this one, which sealed what is to be sealed
 * anew: *key is the new one afterwards, and the path of the file is returned,
 * palloc'ed.  Where the file holds another key already, because a former call
 * was cut short, another database of the server was first, or an operator put
 * it there, that is the new key.
 */
char *
zcsync_key_replace(ZcsyncKey *key)
{
	ZcsyncKey	former = *key;
	char	   *path = NULL;
	char	   *message = NULL;
	char	   *hint = NULL;
	ListCell   *lc;
	int			fd = -1;
	struct stat opened;
	struct stat there;

	foreach(lc, key_paths())
	{
		path = lfirst(lc);
		if (key_at_holds(former.former ? zcsync_key_former_path(path, &former) : path,
						 former.fingerprint))
			break;
	}

	if (!former.former)
	{
		/* One at a time, also in several databases: the lock ends with us. */
		fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 ||
			fstat(fd, &opened) != 0 || stat(path, &there) != 0 ||
			opened.st_ino != there.st_ino || opened.st_dev != there.st_dev)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("another session replaces key file \"%s\"", path),
					 errhint("Run it again.")));
		key_keep_former(path, &former);
		key_generate(path, true);
		CloseTransientFile(fd);
	}
	else if (access(path, F_OK) != 0 && errno == ENOENT)
		key_generate(path, false);

	explicit_bzero(&former, sizeof(former));
	if (key_read_at(path, key, &message, &hint) != ZCSYNC_KEY_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot seal credentials anew: %s",
						message ? message : psprintf("key file \"%s\" is missing", path)),
				 hint ? errhint("%s", hint) : 0));
	return path;
}

/*
 * Does this file hold the key with this fingerprint?
 */
static bool
key_at_holds(const char *path, const unsigned char *fingerprint)
{
	ZcsyncKey	found = {0};
	char	   *message;
	char	   *hint;
	bool		holds;

	holds = key_read_at(path, &found, &message, &hint) == ZCSYNC_KEY_OK &&
		memcmp(found.fingerprint, fingerprint, ZCSYNC_FINGERPRINT_SIZE) == 0;
	explicit_bzero(&found, sizeof(found));
	return holds;
}

/*
 * Give the file of a key, which is about to be replaced, its second name.
 */
static void
key_keep_former(const char *path, const ZcsyncKey *key)
{
	char	   *former = zcsync_key_former_path(path, key);
	char	   *directory = pstrdup(path);

	if (link(path, former) != 0 &&
		!(errno == EEXIST && key_at_holds(former, key->fingerprint)))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not keep the former key as file \"%s\": %m", former),
				 errhint("Nothing was changed. The server must be able to write to the directory of the key file; where it may not, put another key there by hand, and the former one at this path.")));
	get_parent_directory(directory);
	fsync_fname(directory, true);
}

/*
 * Make the key file with a new random key.  A file that is there already, or
 * that another session makes meanwhile, is left alone: read it afterwards.
 * Throws if the file cannot be made.
 */
void
zcsync_key_create(void)
{
	key_generate(zcsync_key_path(), false);
}

/*
 * Write a new random key to a file: in place of the one that is there, or only
 * if there is none.
 */
static void
key_generate(const char *path, bool replace)
{
	unsigned char bytes[ZCSYNC_KEY_SIZE];
	char		contents[KEY_TEXT_SIZE + 2];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random key")));
	hex_encode((const char *) bytes, sizeof(bytes), contents);
	contents[KEY_TEXT_SIZE] = '\n';
	contents[KEY_TEXT_SIZE + 1] = '\0';

	PG_TRY();
	{
		key_write_file(path, contents, replace);
	}
	PG_FINALLY();
	{
		explicit_bzero(bytes, sizeof(bytes));
		explicit_bzero(contents, sizeof(contents));
	}
	PG_END_TRY();
}

/*
 * The fingerprint as 16 hexadecimal digits, palloc'ed.
 */
char *
zcsync_key_fingerprint_text(const ZcsyncKey *key)
{
	char	   *contents = palloc0(2 * ZCSYNC_FINGERPRINT_SIZE + 1);

	hex_encode((const char *) key->fingerprint, ZCSYNC_FINGERPRINT_SIZE, contents);
	return contents;
}

/*
 * The fingerprint of the key that sealed a value; NULL if it is damaged.
 */
const unsigned char *
zcsync_sealed_fingerprint(const bytea *sealed)
{
	if (VARSIZE_ANY_EXHDR(sealed) < HEADER_SIZE + TAG_SIZE)
		return NULL;
	return (const unsigned char *) VARDATA_ANY(sealed) + 1;
}

/*
 * Seal one value for a credential of an account.
 */
bytea *
zcsync_seal(const ZcsyncKey *key, int64 account_id, const char *name,
			const char *value)
{
	Size		value_size = strlen(value);
	Size		size = HEADER_SIZE + value_size + TAG_SIZE;
	bytea	   *sealed = palloc(VARHDRSZ + size);
	unsigned char *out = (unsigned char *) VARDATA(sealed);
	EVP_CIPHER_CTX *ctx;
	int			len;

	SET_VARSIZE(sealed, VARHDRSZ + size);
	out[0] = SEAL_VERSION;
	memcpy(out + 1, key->fingerprint, ZCSYNC_FINGERPRINT_SIZE);
	if (!pg_strong_random(out + NONCE_OFFSET, NONCE_SIZE))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random nonce")));

	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		crypt_failed();
	PG_TRY();
	{
		if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes,
							   out + NONCE_OFFSET) != 1)
			crypt_failed();
		crypt_aad(ctx, true, out, account_id, name);
		if (EVP_EncryptUpdate(ctx, out + HEADER_SIZE, &len,
							  (const unsigned char *) value, value_size) != 1 ||
			EVP_EncryptFinal_ex(ctx, out + HEADER_SIZE + len, &len) != 1 ||
			EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
								out + HEADER_SIZE + value_size) != 1)
			crypt_failed();
	}
	PG_FINALLY();
	{
		EVP_CIPHER_CTX_free(ctx);
	}
	PG_END_TRY();
	return sealed;
}

/*
 * Open a sealed value: *value is allocated in "context", NUL-terminated, and
 * the caller's to overwrite.  *value is NULL unless the result is OK.
 */
ZcsyncUnsealResult
zcsync_unseal(const ZcsyncKey *key, int64 account_id, const char *name,
			  const bytea *sealed, MemoryContext context, char **value)
{
	const unsigned char *in = (const unsigned char *) VARDATA_ANY(sealed);
	Size		size = VARSIZE_ANY_EXHDR(sealed);
	Size		value_size;

	*value = NULL;
	if (size < HEADER_SIZE + TAG_SIZE || in[0] != SEAL_VERSION)
		return ZCSYNC_UNSEAL_DAMAGED;
	if (memcmp(in + 1, key->fingerprint, ZCSYNC_FINGERPRINT_SIZE) != 0)
		return ZCSYNC_UNSEAL_OTHER_KEY;
	value_size = size - HEADER_SIZE - TAG_SIZE;
	*value = MemoryContextAllocZero(context, value_size + 1);

	if (!crypt_open(key, account_id, name, in, *value, value_size))
	{
		explicit_bzero(*value, value_size);
		pfree(*value);
		*value = NULL;
		return ZCSYNC_UNSEAL_DAMAGED;
	}
	return ZCSYNC_UNSEAL_OK;
}

/*
 * Decrypt the ciphertext of "in" into "value", which has room for its
 * value_size bytes.  Returns whether it is authentic.
 */
static bool
crypt_open(const ZcsyncKey *key, int64 account_id, const char *name,
		   const unsigned char *in, char *value, Size value_size)
{
	unsigned char tag[TAG_SIZE];
	EVP_CIPHER_CTX *ctx;
	volatile bool opened = false;
	int			len;

	memcpy(tag, in + HEADER_SIZE + value_size, TAG_SIZE);
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		crypt_failed();
	PG_TRY();
	{
		if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes,
							   in + NONCE_OFFSET) != 1)
			crypt_failed();
		crypt_aad(ctx, false, in, account_id, name);
		opened = EVP_DecryptUpdate(ctx, (unsigned char *) value, &len,
								   in + HEADER_SIZE, value_size) == 1 &&
			EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
			EVP_DecryptFinal_ex(ctx, (unsigned char *) value + len, &len) == 1;
	}
	PG_FINALLY();
	{
		EVP_CIPHER_CTX_free(ctx);
	}
	PG_END_TRY();
	return opened;
}

/*
 * A key from the text of the file: 64 hexadecimal digits, and at most one
 * line end.
 */
static bool
key_parse(ZcsyncKey *key, const char *contents, Size size)
{
	Size		digits = strspn(contents, "0123456789abcdefABCDEF");

	if (digits != KEY_TEXT_SIZE || digits + strspn(contents + digits, "\r\n") != size)
		return false;
	hex_decode(contents, KEY_TEXT_SIZE, (char *) key->bytes);
	key_fingerprint(key);
	return true;
}

/*
 * Fill in the fingerprint: the first bytes of the SHA-256 of the key.
 */
static void
key_fingerprint(ZcsyncKey *key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(key->bytes, ZCSYNC_KEY_SIZE, digest, NULL, EVP_sha256(),
				   NULL) != 1)
		crypt_failed();
	memcpy(key->fingerprint, digest, ZCSYNC_FINGERPRINT_SIZE);
}

/*
 * Write the key file so that it appears under its name whole and on disk, or
 * not at all: a half-written key would be refused for ever.  link() gives it
 * its name only if nobody else has, as O_EXCL would; rename() takes the name
 * from the file that has it.
 */
static void
key_write_file(const char *path, const char *contents, bool replace)
{
	char	   *temp = psprintf("%s.%d.tmp", path, MyProcPid);
	char	   *directory = pstrdup(path);
	Size		size = strlen(contents);
	int			fd;
	int			error = 0;

	/*
	 * left by a process with our number that ended here; no other uses this
	 * name
	 */
	if (unlink(temp) != 0 && errno != ENOENT)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", temp)));

	fd = OpenTransientFilePerm(temp, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY,
							   S_IRUSR | S_IWUSR);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", temp),
				 errhint("Set zcsync.key_file to a path that the user of the server can write to.")));

	errno = 0;
	if (write(fd, contents, size) != size)
		error = errno != 0 ? errno : ENOSPC;
	else if (pg_fsync(fd) != 0)
		error = errno;
	if (CloseTransientFile(fd) != 0 && error == 0)
		error = errno;
	if (error == 0 && replace)
		error = rename(temp, path) != 0 ? errno : 0;
	else if (error == 0 && link(temp, path) != 0 && errno != EEXIST)
		error = errno;
	unlink(temp);
	if (error != 0)
	{
		errno = error;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write key file \"%s\": %m", path)));
	}
	get_parent_directory(directory);
	fsync_fname(directory, true);
}

/*
 * Authenticate the context of a value together with it: version and
 * fingerprint (the start of the header), account and name of the credential.
 */
static void
crypt_aad(EVP_CIPHER_CTX *ctx, bool encrypt, const unsigned char *header,
		  int64 account_id, const char *name)
{
	uint64		account = pg_hton64((uint64) account_id);
	int			(*update) (EVP_CIPHER_CTX *, unsigned char *, int *,
						   const unsigned char *, int);
	int			len;

	update = encrypt ? EVP_EncryptUpdate : EVP_DecryptUpdate;
	if (update(ctx, NULL, &len, header, NONCE_OFFSET) != 1 ||
		update(ctx, NULL, &len, (const unsigned char *) &account,
			   sizeof(account)) != 1 ||
		update(ctx, NULL, &len, (const unsigned char *) name,
			   strlen(name)) != 1)
		crypt_failed();
}

/*
 * OpenSSL refused something that it refuses only for lack of memory or in a
 * broken installation.
 */
static void
crypt_failed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("could not encrypt or decrypt a credential"),
			 errdetail("OpenSSL reported an error.")));
}
