-- how the demo prints
\pset footer off
\pset linestyle ascii
\pset null ''
SET client_min_messages = warning;
