@extends('layout')

@section('page')
<form method="post" action="/login">
    @csrf
    <input name="email" type="email">
    <input name="password" type="password">
    <button>Log in</button>
</form>
@endsection
