/*-------------------------------------------------------------------------
 *
 * vendor.c
 *		The descriptors of vendors: find them, and keep them in memory.
 *
 * A vendor is a function without arguments that returns zcsync.vendor (see
 * sql/vendor/contract.sql).  It is found by what it returns, through its
 * dependency on that type, so no list has to name it.  Only functions of
 * superusers count: what a descriptor names is called by SECURITY DEFINER
 * functions, and anybody can make a function that returns our type.
 *
 * Descriptors change with the functions that make them, and in no other way.
 * They are therefore kept for the life of the backend, in a context of their
 * own, until any function is created, replaced or dropped.  That may also
 * happen while they are loaded, since loading them runs SQL: what was loaded
 * is good until the count of changes is another than when loading began.
 * Callers get a copy.
 *
 * IDENTIFICATION
 *		src/vendor.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* A vendor. */
typedef struct Descriptor
{
	char	   *name;
	Oid			function;
	HeapTupleHeader row;		/* of type zcsync.vendor */
} Descriptor;

static MemoryContext descriptor_cxt = NULL;
static List *descriptors = NIL; /* in the order of their names */
static uint64 changes = 1;		/* of functions */
static uint64 loaded_at = 0;	/* changes when loading began; 0: never */
static bool loading = false;	/* a descriptor must not ask for descriptors */

PG_FUNCTION_INFO_V1(zcsync_sql_vendor);
PG_FUNCTION_INFO_V1(zcsync_sql_vendors);

static List *load_descriptors(Oid type);
static List *read_descriptors(Oid type);
static List *find_functions(Oid type);
static bool is_descriptor(Oid function, Oid type);
static Descriptor *read_descriptor(Oid function);
static int	compare_names(const ListCell *a, const ListCell *b);
static void function_changed(Datum arg, int cacheid, uint32 hashvalue);
static Datum copy_row(const Descriptor *descriptor);

/* zcsync._vendor_of(name): the descriptor of that name, or NULL */
Datum
zcsync_sql_vendor(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ListCell   *lc;

	foreach(lc, load_descriptors(get_func_rettype(fcinfo->flinfo->fn_oid)))
	{
		Descriptor *descriptor = lfirst(lc);

		if (strcmp(descriptor->name, name) == 0)
			PG_RETURN_DATUM(copy_row(descriptor));
	}
	PG_RETURN_NULL();
}

/* zcsync._vendors(): all descriptors */
Datum
zcsync_sql_vendors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, load_descriptors(get_func_rettype(fcinfo->flinfo->fn_oid)))
	{
		Descriptor *descriptor = lfirst(lc);
		HeapTupleData tuple;

		tuple.t_len = HeapTupleHeaderGetDatumLength(descriptor->row);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuple.t_data = descriptor->row;
		tuplestore_puttuple(result->setResult, &tuple);
	}
	return (Datum) 0;
}

/*
 * All descriptors, from memory if no function changed since.  The list may go
 * with the next call.
 */
static List *
load_descriptors(Oid type)
{
	static bool registered = false;
	MemoryContext context;
	List	   *loaded;
	uint64		began;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
		registered = true;
	}
	if (loaded_at == changes)
		return descriptors;
	if (loading)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("the descriptor of a vendor depends on descriptors"),
				 errhint("Have the function that returns zcsync.vendor, and what it calls, ask for no vendor.")));

	began = changes;
	context = AllocSetContextCreate(CurrentMemoryContext, "zcsync vendors",
									ALLOCSET_SMALL_SIZES);
	loading = true;
	PG_TRY();
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		loaded = read_descriptors(type);
		MemoryContextSwitchTo(old);
	}
	PG_FINALLY();
	{
		loading = false;
	}
	PG_END_TRY();

	if (descriptor_cxt != NULL)
		MemoryContextDelete(descriptor_cxt);
	MemoryContextSetParent(context, CacheMemoryContext);
	descriptor_cxt = context;
	descriptors = loaded;
	loaded_at = began;
	return descriptors;
}

/*
 * All descriptors in the order of their names, in the current context.
 */
static List *
read_descriptors(Oid type)
{
	List	   *loaded = NIL;
	ListCell   *lc;

	foreach(lc, find_functions(type))
	{
		Descriptor *descriptor = read_descriptor(lfirst_oid(lc));

		if (descriptor != NULL)
			loaded = lappend(loaded, descriptor);
	}
	list_sort(loaded, compare_names);
	return loaded;
}

/*
 * The functions that return a type and take nothing, by their dependency on
 * it.
 */
static List *
find_functions(Oid type)
{
	List	   *functions = NIL;
	ScanKeyData key[2];
	Relation	depend;
	SysScanDesc scan;
	HeapTuple	tuple;

	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(TypeRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2,
							  key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == ProcedureRelationId &&
			!list_member_oid(functions, form->objid) &&
			is_descriptor(form->objid, type))
			functions = lappend_oid(functions, form->objid);
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return functions;
}

/*
 * Does the function describe a vendor, and may it?
 */
static bool
is_descriptor(Oid function, Oid type)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		is;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	is = form->prokind == PROKIND_FUNCTION && form->prorettype == type &&
		form->pronargs == 0 && !form->proretset &&
		superuser_arg(form->proowner);
	ReleaseSysCache(tuple);
	return is;
}

/*
 * The row that the function returns, in the current context; NULL if it has no
 * name.
 */
static Descriptor *
read_descriptor(Oid function)
{
	HeapTupleHeader row = DatumGetHeapTupleHeaderCopy(OidFunctionCall0(function));
	Descriptor *descriptor;
	Datum		name;
	bool		isnull;

	name = GetAttributeByName(row, "name", &isnull);
	if (isnull)
		return NULL;
	descriptor = palloc(sizeof(Descriptor));
	descriptor->name = TextDatumGetCString(name);
	descriptor->function = function;
	descriptor->row = row;
	return descriptor;
}

/* Order of names; two of one name are a mistake. */
static int
compare_names(const ListCell *a, const ListCell *b)
{
	const Descriptor *first = lfirst(a);
	const Descriptor *second = lfirst(b);
	int			order = strcmp(first->name, second->name);

	if (order == 0 && first != second)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("vendor \"%s\" has two descriptors", first->name),
				 errdetail("They are %s() and %s().",
						   get_func_name(first->function),
						   get_func_name(second->function)),
				 errhint("Drop one of these functions.")));
	return order;
}

/* Some function was created, replaced or dropped. */
static void
function_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	changes++;
}

static Datum
copy_row(const Descriptor *descriptor)
{
	Size		len = HeapTupleHeaderGetDatumLength(descriptor->row);
	HeapTupleHeader copy = palloc(len);

	memcpy(copy, descriptor->row, len);
	return HeapTupleHeaderGetDatum(copy);
}
