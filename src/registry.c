/*-------------------------------------------------------------------------
 *
 * registry.c
 *		Descriptors of vendors, operations, listeners and so on: find them,
 *		keep them in memory, and call the functions that they name.
 *
 * A descriptor is the row that a function without arguments returns, of a
 * type made for that: zcsync.vendor (sql/vendor/contract.sql),
 * zcsync.operation (sql/queue/operations.sql), zcsync.account_part
 * (sql/account/parts.sql) or zcsync.listener (sql/mirror/listeners.sql).  It
 * is found by the function's dependency on that type, so no list has to name
 * it, and an early room can use what a later one provides.  Only functions of
 * superusers count: SECURITY DEFINER functions call what a descriptor names,
 * and anybody can make a function that returns our type.
 *
 * A descriptor changes only when a function changes.  So descriptors are kept
 * for the life of the backend, in a context for each type, until any function
 * is created, replaced or dropped.  That may happen even while they are
 * loaded, since loading them runs SQL: so they count as loaded only if the
 * count of changes is the same as when loading began.  Callers get a copy.
 *
 * A descriptor names functions, its hooks.  SQL can call a hook by EXECUTE, which
 * plans the call anew each time.  The queue does so for each batch of jobs, and
 * triggers for each statement, so they call their hooks through
 * zcsync_sql_call_hook(), which takes a microsecond.
 *
 * IDENTIFICATION
 *		src/registry.c
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

/* What a function describes. */
typedef struct Descriptor
{
	char	   *name;
	Oid			function;
	HeapTupleHeader row;		/* of the registry's type */
} Descriptor;

/* The descriptors of a type. */
typedef struct Registry
{
	Oid			type;
	MemoryContext context;		/* NULL: none loaded yet */
	List	   *descriptors;	/* in the order of their names */
	uint64		loaded_at;		/* changes when loading began; 0: never */
} Registry;

/*
 * The hook that zcsync_sql_call_hook() called last at this place of a query.
 */
typedef struct Hook
{
	Oid			function;
	FmgrInfo	info;
} Hook;

static List *registries = NIL;	/* one a type, in TopMemoryContext */
static uint64 changes = 1;		/* how often functions have changed */
static bool loading = false;	/* while true, asking for a descriptor is an
								 * error */

PG_FUNCTION_INFO_V1(zcsync_sql_descriptor);
PG_FUNCTION_INFO_V1(zcsync_sql_descriptors);
PG_FUNCTION_INFO_V1(zcsync_sql_call_hook);

static List *load_descriptors(Oid type);
static List *read_alone(Oid type, MemoryContext context);
static Registry *registry_of(Oid type);
static List *read_descriptors(Oid type);
static List *find_functions(Oid type);
static bool is_descriptor(Oid function, Oid type);
static Descriptor *read_descriptor(Oid function);
static int	compare_names(const ListCell *a, const ListCell *b);
static void function_changed(Datum arg, int cacheid, uint32 hashvalue);
static Datum copy_row(const Descriptor *descriptor);
static void check_hook(Oid hook, Oid caller);

/* SQL: the descriptor of that name, of the function's type, or NULL */
Datum
zcsync_sql_descriptor(PG_FUNCTION_ARGS)
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

/* SQL: all descriptors of the function's type */
Datum
zcsync_sql_descriptors(PG_FUNCTION_ARGS)
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
 * SQL: call a hook.  The first argument is the hook, the others are passed to
 * it.  Each SQL function made from this C function has the arguments and the
 * result of one kind of hook, and calls only hooks of that kind.
 */
Datum
zcsync_sql_call_hook(PG_FUNCTION_ARGS)
{
	Oid			function = PG_GETARG_OID(0);
	Hook	   *hook = fcinfo->flinfo->fn_extra;
	int			nargs = PG_NARGS() - 1;
	Datum		result;

	LOCAL_FCINFO(call, FUNC_MAX_ARGS);

	if (hook == NULL || hook->function != function)
	{
		check_hook(function, fcinfo->flinfo->fn_oid);
		hook = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Hook));
		hook->function = function;
		fmgr_info_cxt(function, &hook->info, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = hook;
	}
	InitFunctionCallInfoData(*call, &hook->info, nargs, PG_GET_COLLATION(),
							 NULL, NULL);
	for (int i = 0; i < nargs; i++)
		call->args[i] = fcinfo->args[i + 1];
	result = FunctionCallInvoke(call);
	fcinfo->isnull = call->isnull;
	return result;
}

/*
 * Raise an error unless the hook has the same result as the function
 * "caller", and the same arguments except for the first one.
 */
static void
check_hook(Oid hook, Oid caller)
{
	Oid		   *wanted;
	Oid		   *found;
	int			nwanted;
	int			nfound;
	Oid			result = get_func_signature(caller, &wanted, &nwanted);

	if (get_func_signature(hook, &found, &nfound) != result ||
		nfound != nwanted - 1 ||
		memcmp(found, wanted + 1, sizeof(Oid) * nfound) != 0 ||
		get_func_retset(hook))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("hook %s() has not the arguments or the result of a hook that %s() calls",
						get_func_name(hook), get_func_name(caller))));
}

/*
 * All descriptors of a type, from memory if no function changed since they
 * were loaded.  The list is valid until the next call.
 */
static List *
load_descriptors(Oid type)
{
	Registry   *registry = registry_of(type);
	MemoryContext context;
	List	   *loaded;
	uint64		began;

	if (registry->loaded_at == changes)
		return registry->descriptors;
	if (loading)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("the descriptor of a %s depends on descriptors",
						get_rel_name(get_typ_typrelid(type))),
				 errhint("Have the function that returns %s, and what it calls, ask for no %s.",
						 format_type_be(type),
						 get_rel_name(get_typ_typrelid(type)))));

	began = changes;
	context = AllocSetContextCreate(CurrentMemoryContext, "zcsync descriptors",
									ALLOCSET_SMALL_SIZES);
	loaded = read_alone(type, context);

	if (registry->context != NULL)
		MemoryContextDelete(registry->context);
	MemoryContextSetParent(context, CacheMemoryContext);
	registry->context = context;
	registry->descriptors = loaded;
	registry->loaded_at = began;
	return loaded;
}

/*
 * All descriptors of a type, in a context; code that asks for descriptors
 * meanwhile gets an error.
 */
static List *
read_alone(Oid type, MemoryContext context)
{
	List	   *loaded;

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
	return loaded;
}

/* The registry of a type, made when it is first asked for. */
static Registry *
registry_of(Oid type)
{
	Registry   *registry;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, registries)
	{
		registry = lfirst(lc);
		if (registry->type == type)
			return registry;
	}
	if (registries == NIL)
		CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
	old = MemoryContextSwitchTo(TopMemoryContext);
	registry = palloc0(sizeof(Registry));
	registry->type = type;
	registries = lappend(registries, registry);
	MemoryContextSwitchTo(old);
	return registry;
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
 * The functions without arguments that return a type, found by their
 * dependency on it.
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
 * Does the function return a descriptor, and does it count as one?
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

/* Compares names; two descriptors with the same name are a mistake. */
static int
compare_names(const ListCell *a, const ListCell *b)
{
	const Descriptor *first = lfirst(a);
	const Descriptor *second = lfirst(b);
	int			order = strcmp(first->name, second->name);

	if (order == 0 && first != second)
	{
		char	   *one = get_func_name(first->function);
		char	   *other = get_func_name(second->function);

		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("%s \"%s\" has two descriptors",
						get_rel_name(get_typ_typrelid(get_func_rettype(first->function))),
						first->name),
				 errdetail("They are %s() and %s().",
						   strcmp(one, other) < 0 ? one : other,
						   strcmp(one, other) < 0 ? other : one),
				 errhint("Drop one of these functions.")));
	}
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
