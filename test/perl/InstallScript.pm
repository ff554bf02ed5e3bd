package InstallScript;

# The parts of the install script as data, for the tests that look at them
# without a server: which statements they have, which functions, and what each
# of these uses.
#
#	my @files = InstallScript::files();		# paths below sql/, in the order of loading
#	my @definitions = InstallScript::definitions();
#
# A definition is a hash: kind (FUNCTION, PROCEDURE or TYPE), name, file, room,
# line, text (the whole statement), and for functions head (what stands before
# the body) and body.

use strict;
use warnings;
use File::Basename qw(dirname);

my $ROOT = dirname(__FILE__) . '/../..';

sub slurp
{
	my ($path) = @_;

	open my $handle, '<', $path or die "could not open $path: $!";
	local $/;
	return scalar <$handle>;
}

sub files
{
	return split ' ', slurp("$ROOT/sql/load_order");
}

sub read_file
{
	my ($file) = @_;

	return slurp("$ROOT/sql/$file");
}

# The C files and their texts.
sub c_files
{
	return map { ((split m{/}, $_)[-1] => slurp($_)) } sort glob "$ROOT/src/*.c";
}

# The room of a file is the first folder of its path.
sub room
{
	my ($file) = @_;

	return $file =~ s{/.*}{}r;
}

# Split a script into statements: [line, text], comments before it left out.
sub statements
{
	my ($script) = @_;
	my ($line, $start, $text) = (1, undef, '');
	my @statements;

	$script =~ s/^\\echo .*//;
	while ($script =~ /\G(?:
			(?<skip>--[^\n]*|\/\*.*?\*\/)
			|(?<body>(?<tag>\$[a-z_]*\$).*?\k<tag>
				|\bBEGIN\s+ATOMIC\b.*?^END\b
				|'(?:[^']|'')*')
			|(?<end>;)
			|(?<other>.))/gxsm)
	{
		my $token = $&;

		if (defined $+{end})
		{
			push @statements, [ $start, "$text;" ] if defined $start;
			($start, $text) = (undef, '');
		}
		elsif (!defined $+{skip} || defined $start)
		{
			$start //= $line if $token =~ /\S/;
			$text .= $token if defined $start;
		}
		$line += $token =~ tr/\n//;
	}
	return @statements;
}

sub definitions
{
	my @definitions;

	foreach my $file (files())
	{
		foreach my $statement (statements(read_file($file)))
		{
			my ($line, $text) = @$statement;

			next unless $text =~ /^CREATE\s+(FUNCTION|PROCEDURE|TYPE)\s+zcsync\.(\w+)/;
			my %definition = (kind => $1, name => $2, file => $file, room => room($file), line => $line, text => $text);
			@definition{qw(head body)} = ($1, $+)
			  if $text =~ /^(.*?)(?:\bAS\s+(\$\w*\$)(.*)\2.*|\b(BEGIN\s+ATOMIC\b.*))$/s;
			$definition{head} //= $text;
			$definition{body} //= '';
			push @definitions, \%definition;
		}
	}
	return @definitions;
}

# The DO blocks: [file, line, text].
sub blocks
{
	my @blocks;

	foreach my $file (files())
	{
		push @blocks, map { [ $file, @$_ ] } grep { $_->[1] =~ /^DO\b/ } statements(read_file($file));
	}
	return @blocks;
}

# The names of zcsync that a piece of SQL uses: a list of [name, called], called
# being true where the name is called as a function.  Comments are no SQL.
# Literals are, where they are quoted by dollars or are executed, where they are
# nothing but a name (for to_regclass and its like), or an expression with a
# query in it; all others are words for people, such as hints.
sub uses
{
	my ($sql) = @_;
	my $dynamic = $sql =~ /\bEXECUTE\s+(?:v|p)_/;
	my ($executed, $before) = (0, '');
	my @uses;

	while ($sql =~ /\G(?:
			(?<skip>--[^\n]*|\/\*.*?\*\/)
			|(?<tag>\$[a-z_]*\$)(?<inner>.*?)\k<tag>
			|'(?<literal>(?:[^']|'')*)'
			|\bzcsync\.(?<name>[a-z_]\w*)(?<call>\()?
			|(?<word>\w+)
			|(?<other>.))/gxs)
	{
		my %token = %+;

		if (defined $token{inner})
		{
			push @uses, uses($token{inner});
		}
		elsif (defined $token{literal})
		{
			(my $literal = $token{literal}) =~ s/''/'/g;
			if ($before =~ /^(?:current_setting|set_config)$/)
			{
				$before = '';
				next;
			}
			push @uses, uses($literal)
			  if $executed || $literal =~ /^zcsync\.\w+(?:\([\w, \[\].]*\))?$/ || $literal =~ /^[a-z(].*\b(?:FROM|JOIN) zcsync\.\w/s
			  || ($dynamic && $before !~ /^(?:HINT|MESSAGE|DETAIL|hint|message|detail)$/);
		}
		elsif (defined $token{name})
		{
			push @uses, [ $token{name}, defined $token{call} && $before ne 'INTO' ];
			$before = '';
		}
		elsif (defined $token{word})
		{
			$before = $token{word};
			$executed = 1 if $before eq 'EXECUTE';
		}
		elsif (defined $token{other})
		{
			$executed = 0 if $token{other} eq ';';
		}
	}
	return @uses;
}

# What of a function's body runs: the body without comments and without
# literals, but with those that EXECUTE is given.
sub code
{
	my ($sql) = @_;
	my ($executed, $code) = (0, '');

	while ($sql =~ /\G(?:
			(?<skip>--[^\n]*|\/\*.*?\*\/)
			|(?<tag>\$[a-z_]*\$)(?<inner>.*?)\k<tag>
			|'(?<literal>(?:[^']|'')*)'
			|(?<word>\w+)
			|(?<other>.))/gxs)
	{
		my %token = %+;

		if (defined(my $literal = $token{inner} // $token{literal}))
		{
			$code .= !$executed ? "''" : defined $token{inner} ? " $literal " : ' ' . $literal =~ s/''/'/gr . ' ';
			next;
		}
		$executed = 1 if ($token{word} // '') eq 'EXECUTE';
		$executed = 0 if ($token{other} // '') eq ';';
		$code .= $token{word} // $token{other} // ' ';
	}
	return $code;
}

# The SQL statements in the strings of a C file.  Those that end with a
# semicolon are hints: what somebody is to run.
sub sql_of_c
{
	my ($c) = @_;
	my @sql;

	$c =~ s{/\*.*?\*/}{ }gs;
	while ($c =~ /((?:"(?:[^"\\]|\\.)*"\s*)+)/g)
	{
		my $string = join '', map { s/\\(.)/$1/gr } $1 =~ /"((?:[^"\\]|\\.)*)"/g;

		push @sql, $string if $string =~ /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|CALL)\b/ && $string !~ /;\s*$/;
	}
	return @sql;
}

1;
